import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// Tests read the sources; only the suites that start processes use what `npm run build` made.
const alias = {
  "@presently/crdt": source("packages/crdt/src/index.ts"),
  "@presently/replica": source("packages/replica/src/index.ts"),
  "@presently/mesh": source("packages/mesh/src/index.ts"),
  "@presently/testkit": source("packages/testkit/src/index.ts"),
  "@presently/phoenix": source("packages/phoenix/src/index.ts"),
  "@presently/client/react": source("packages/client/src/react/index.ts"),
  "@presently/client": source("packages/client/src/index.ts"),
  "@presently/nats": source("packages/nats/src/index.ts"),
  "@presently/keyspace": source("packages/keyspace/src/index.ts"),
  "@presently/colyseus": source("packages/colyseus/src/index.ts"),
  "@presently/anycable": source("packages/anycable/src/index.ts"),
  "@presently/faye": source("packages/faye/src/index.ts"),
  "@presently/pusher": source("packages/pusher/src/index.ts"),
  "@presently/socketcluster": source("packages/socketcluster/src/index.ts"),
  "@presently/socket.io/client": source("packages/socket.io/src/client/index.ts"),
  "@presently/socket.io": source("packages/socket.io/src/index.ts"),
  "presently/drop-in": source("packages/presently/src/drop-in/index.ts"),
  "presently/demo": source("packages/presently/src/demo/index.ts"),
  presently: source("packages/presently/src/index.ts"),
};

const project = (name: string, include: string[], options: object = {}) => ({
  resolve: { alias },
  test: { name, include, ...options },
});

/** Half of the suites wait for processes, sockets and pages: three files at a time keep two cores busy. */
const maxWorkers = 3;

export default defineConfig({
  test: {
    // One run for all: a failure in one project keeps none of the others from running.
    projects: [
      project("unit", ["packages/*/src/**/*.test.ts"], {
        exclude: ["**/*.property.test.ts"],
        // Only what hangs takes this long: a busy machine is no failure.
        testTimeout: 60_000,
        hookTimeout: 60_000,
        // What is ours leaves nothing behind: it need not be loaded again for each file.
        isolate: false,
        maxWorkers,
      }),
      // Other people's clients do: one that is never told to stop asks on, and would ask the next file's server.
      project("conformance", ["test/unit/**/*.test.ts", "test/conformance/**/*.test.ts"], {
        testTimeout: 60_000,
        hookTimeout: 60_000,
        maxWorkers,
      }),
      project("property", ["packages/*/src/**/*.property.test.ts", "test/property/**/*.test.ts"], {
        testTimeout: 120_000,
        isolate: false,
        maxWorkers,
      }),
      project("cluster", ["test/cluster/**/*.test.ts"], {
        testTimeout: 120_000,
        hookTimeout: 60_000,
        maxWorkers,
      }),
      project("browser", ["test/browser/**/*.test.ts"], {
        testTimeout: 120_000,
        hookTimeout: 60_000,
        maxWorkers,
      }),
    ],
  },
});
