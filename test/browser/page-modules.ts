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

interface RateMeterOnPage {
  add(atMs: number, value: number, life?: unknown): void;
  perSecond(nowMs: number): number | undefined;
}

interface HistoryOnPage {
  readonly points: readonly { readonly atMs: number; readonly value: number | undefined }[];
  add(atMs: number, value: number | undefined): void;
}

export interface FactsOnPage {
  reported(report: object, nowMs: number): void;
  surveyed(survey: object, nowMs: number): void;
  entries(): number | undefined;
  sentPerSecond(nowMs: number): number | undefined;
  replicas(nowMs: number): readonly { readonly replica: string; readonly [fact: string]: unknown }[];
  mesh(nowMs: number): ClusterOnPage;
}

interface HealthOnPage {
  readonly level: string;
  readonly title: string;
  readonly detail?: string;
  readonly concerns: readonly { readonly level: string; readonly text: string; readonly detail?: string }[];
}

interface NoticesOnPage {
  reset(state: object, wallMs: number): void;
  apply(notice: object): boolean;
  did(outcome: { ok: boolean; message: string }, wallMs: number): void;
  list(
    group?: string,
  ): readonly { readonly message: string; readonly group: string; readonly atMs: number }[];
  count(what: string, wallMs: number): number;
}

interface PageModules {
  readonly "dashboard/rates.js": {
    readonly RateMeter: new () => RateMeterOnPage;
    readonly RateMeters: new () => {
      readonly size: number;
      add(atMs: number, counters: readonly (readonly [string, number])[]): void;
      perSecond(name: string, nowMs: number): number | undefined;
      totalPerSecond(nowMs: number): number | undefined;
    };
    readonly History: new (options: { spanMs: number; pointsMax: number }) => HistoryOnPage;
    readonly LastMinute: new () => { add(atMs: number, count?: number): void; count(nowMs: number): number };
  };
  readonly "dashboard/sparkline.js": {
    readonly runsOf: (points: HistoryOnPage["points"]) => readonly (readonly { readonly atMs: number }[])[];
  };
  readonly "dashboard/cluster-facts.js": { readonly ClusterFacts: new (nowMs: number) => FactsOnPage };
  readonly "dashboard/health.js": {
    readonly healthOf: (facts: FactsOnPage, nowMs: number) => HealthOnPage;
  };
  readonly "dashboard/notices.js": { readonly Notices: new () => NoticesOnPage };
  readonly "visible.js": { readonly visible: (text: string) => string };
  readonly "numbers.js": {
    readonly bytes: (count: number) => string;
    readonly short: (value: number) => string;
    readonly milliseconds: (ms: number) => string;
    readonly plural: (count: number, one: string, many?: string) => string;
  };
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
    readonly lasting: (elapsedMs: number) => string;
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
