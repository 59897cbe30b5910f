/** The user count: what it is, and when which node publishes it. */
import type { PresentlyNode } from "presently";
import { inCharge } from "presently/drop-in";
import { CountSchedule } from "./count-schedule.ts";
import type { Settings, UserCountType } from "./options.ts";
import { nodesTopic, socketsTopic } from "./records.ts";

/** Of the whole cluster, as this node sees it. Cost: O(1); of subscriptions O(nodes). */
export function countOf(type: UserCountType, node: PresentlyNode, settings: Settings): number {
  const { keys, entries } = node.count(socketsTopic(settings));
  if (type === "USERS") return keys;
  if (type === "SOCKETS") return entries;
  let subscriptions = entries;
  for (const { meta } of node.list(nodesTopic(settings))) subscriptions += Number(meta.subscriptions);
  return subscriptions;
}

/** Whether this node is the one that acts for all that serve sockets. */
export function isInCharge(node: PresentlyNode, settings: Settings): boolean {
  const among = nodesTopic(settings);
  return inCharge(node, { subject: among, among }) === node.replica;
}

export class UserCount {
  private readonly schedule: CountSchedule;
  private timer: NodeJS.Timeout | undefined;
  private readonly end: () => void;
  private readonly node: PresentlyNode;
  private readonly settings: Settings;
  private readonly publish: (count: number) => void;

  constructor(node: PresentlyNode, settings: Settings, publish: (count: number) => void) {
    this.node = node;
    this.settings = settings;
    this.publish = publish;
    this.schedule = new CountSchedule({
      delayMs: settings.scpConnectUpdateDelay,
      blockedUntil: performance.now() + settings.scpBlockUsercountThreshold * 1_000,
    });
    this.end = node.watch(socketsTopic(settings), (change) => {
      if (change.type === "state") return;
      if (change.joins.length > 0) this.schedule.connect(performance.now());
      if (change.leaves.length > 0) this.schedule.disconnect();
      this.plan();
    });
  }

  close(): void {
    clearTimeout(this.timer);
    this.end();
  }

  private plan(): void {
    clearTimeout(this.timer);
    const { dueAt } = this.schedule;
    if (dueAt === Number.POSITIVE_INFINITY) return;
    // Behind the change that is under way, so that a burst of them is one count.
    this.timer = setTimeout(() => this.fire(), Math.max(0, Math.ceil(dueAt - performance.now()))).unref();
  }

  private fire(): void {
    if (this.schedule.take(performance.now())) {
      const count = countOf(this.settings.scpUsercountType, this.node, this.settings);
      const isOurs = this.settings.publishers === "every" || isInCharge(this.node, this.settings);
      if (count > 0 && isOurs) this.publish(count);
    }
    this.plan();
  }
}
