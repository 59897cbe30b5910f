/** One node for each core of this machine: `pm2 start ecosystem.config.cjs`. */
const { availableParallelism, hostname } = require("node:os");

const numbers = Array.from({ length: availableParallelism() }, (_, index) => index + 1);
const meshAddress = (number) => `127.0.0.1:${7000 + number}`;

module.exports = {
  apps: numbers.map((number) => ({
    name: `presently-${number}`,
    script: "presently",
    // pm2 adds nothing of its own between the socket and the node.
    exec_mode: "fork",
    args: [
      "start",
      ...["--name", `${hostname()}-${number}`],
      ...["--mesh", meshAddress(number), "--http", `127.0.0.1:${4000 + number}`],
      ...numbers
        .filter((other) => other !== number)
        .flatMap((other) => ["--peer", `ws://${meshAddress(other)}`]),
    ],
    // Longer than a graceful stop takes.
    kill_timeout: 15_000,
    // Exit code 2: the command was told something that it cannot do. To start again does not help.
    stop_exit_codes: [2],
  })),
};
