/** The client of people who start fresh: typed, over phoenix.js, in a browser and in Node.js. */
export {};
