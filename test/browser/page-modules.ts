/**
 * The parts of the page that need no browser, with types: the page is plain JavaScript, of which TypeScript knows nothing.
 */

export interface EntryOnPage {
  readonly key: string;
  readonly ref: string;
  readonly node: string;
  readonly meta: object;
  readonly previousRef?: string;
}

export interface PersonOnPage {
  readonly key: string;
  readonly name: string;
  readonly sinceMs: number | undefined;
  readonly connections: readonly {
    readonly ref: string;
    readonly node: string;
    readonly device: string | undefined;
    readonly sinceMs: number | undefined;
  }[];
}

export interface HappeningOnPage {
  readonly kind: string;
  readonly key: string;
  readonly name: string;
  readonly text: string;
}

export interface ChangeOnPage {
  readonly key: string;
  readonly before: readonly EntryOnPage[];
  readonly after: readonly EntryOnPage[];
}

export interface RosterOnPage {
  readonly entries: number;
  reset(state: unknown): void;
  apply(diff: unknown): readonly HappeningOnPage[] | undefined;
  follow(list: readonly (readonly [string, readonly EntryOnPage[]])[]): readonly ChangeOnPage[];
  people(): readonly PersonOnPage[];
}

export interface ClusterOnPage {
  readonly nodes: readonly {
    readonly name: string;
    readonly status: string;
    readonly agrees: boolean | null | undefined;
  }[];
  readonly links: readonly { readonly a: string; readonly b: string; readonly status: string }[];
}

interface PageModules {
  readonly "roster.js": {
    readonly Roster: new () => RosterOnPage;
    readonly describeChanges: (
      changes: readonly ChangeOnPage[],
      reasonOf: (entry: EntryOnPage) => string,
    ) => readonly HappeningOnPage[];
  };
  readonly "reasons.js": {
    readonly reasonAmong: (lost: readonly string[]) => (entry: { readonly ref: string }) => string;
  };
  readonly "cluster-model.js": {
    readonly clusterModel: (report: unknown, silent: boolean, demo: unknown) => ClusterOnPage;
  };
  readonly "avatar.js": {
    readonly hueOf: (name: string) => number;
    readonly initialsOf: (name: string) => string;
  };
  readonly "ago.js": {
    readonly ago: (elapsedMs: number) => string;
    readonly duration: (elapsedMs: number) => string;
  };
  readonly "device.js": {
    readonly describeDevice: (navigator: { userAgent: string; maxTouchPoints?: number }) => string;
    readonly deviceKind: (device: string) => string;
  };
}

/** Gives what a file of the page exports. */
export async function pageModule<File extends keyof PageModules>(file: File): Promise<PageModules[File]> {
  return import(new URL(`../../packages/presently/page/${file}`, import.meta.url).href);
}
