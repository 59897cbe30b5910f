/** What the handlers of the HTTP API share. */
import type { EventHub } from "./event-hub.ts";
import type { NameLimits } from "./names.ts";
import type { NoticeBoard } from "./notice-board.ts";
import type { OriginGuard } from "./origin-guard.ts";
import type { ServedNode } from "./served-node.ts";

/** What the handlers share. */
export interface ApiContext {
  readonly node: ServedNode;
  readonly events: EventHub;
  readonly notices: NoticeBoard;
  readonly origins: OriginGuard;
  readonly limits: ApiLimits;
}

/** The bounds that the API itself checks; the node checks the others. */
export interface ApiLimits extends NameLimits {
  readonly bodyBytesMax: number;
}
