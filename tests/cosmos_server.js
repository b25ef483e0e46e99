// Runs the package @vercel/cosmosdb-server on loopback, with what it lacks of the service's
// transactional batches: node cosmos_server.js PACKAGE_FOLDER PORT [https]
// Prints its port when it listens. Data is in memory.
"use strict";
const path = require("path");
const library = path.join(process.argv[2], "lib");
const PARTITION_KEY = "x-ms-documentdb-partitionkey";
const MOST_OPERATIONS = 100, MOST_BYTES = 2 * 1024 * 1024, MOST_OF_A_PAGE = 1000;

// The package looks for a partition key in each operation; clients send it once, in the header.
const json = require(path.join(library, "json"));
const readBody = json.default;
json.default = async request => {
  if (request.parsed === undefined) {
    const body = await readBody(request);
    const partitionKey = request.headers[PARTITION_KEY];
    request.parsed = Array.isArray(body) ? body.map(one => ({ partitionKey, ...one })) : body;
  }
  return request.parsed;
};

// Neither size is checked by the package.
const bytes = value => Buffer.byteLength(JSON.stringify(value));
const operations = require(path.join(library, "handler", "_document-operations"));
const upsert = operations.upsertOperation;
operations.upsertOperation = (collection, operation) =>
  bytes(operation.resourceBody) > MOST_BYTES ? { statusCode: 413, body: {} } : upsert(collection, operation);

// All operations of a batch, or none: the package keeps those before the one that fails. Batches
// take turns, so that each undoes its own changes.
const batch = require(path.join(library, "handler", "batch-documents"));
const runBatch = batch.default;
let turn = Promise.resolve();
batch.default = async (account, request, response, names) => {
  await json.default(request);
  const answers = turn.then(() => runWhole(account, request, response, names));
  turn = answers.catch(() => undefined);
  return answers;
};

// Notes what happens to a map until `end`; `undo` takes it back.
const journal = map => {
  const changes = [];
  for (const name of ["set", "delete"]) {
    map[name] = (key, ...rest) => {
      changes.push([key, map.has(key), map.get(key)]);
      return Map.prototype[name].call(map, key, ...rest);
    };
  }
  return {
    end: () => { delete map.set; delete map.delete; },
    undo: () => {
      for (const [key, had, value] of changes.reverse()) had ? map.set(key, value) : map.delete(key);
    },
  };
};

const runWhole = async (account, request, response, names) => {
  const { documents } = account.database(names.dbId).collection(names.collId);
  const journals = [journal(documents._data), journal(documents._index)];
  let answers;
  try {
    answers = await runBatch(account, request, response, names);
  } finally {
    journals.forEach(one => one.end());
  }
  if (!Array.isArray(answers)) return answers;
  const failed = answers.findIndex(answer => answer.statusCode >= 400);
  const hasTooMany = answers.length > MOST_OPERATIONS;
  // one document that is too large is told by the status of its operation
  const isTooLarge = Number(request.headers["content-length"]) > MOST_BYTES && answers.length > 1;
  if (failed < 0 && !hasTooMany && !isTooLarge) return answers;
  journals.forEach(one => one.undo());
  if (hasTooMany || isTooLarge) {
    response.statusCode = hasTooMany ? 400 : 413;
    return { message: "the batch is too large" };
  }
  return answers.map((answer, place) => (place === failed ? answer : { statusCode: 424 }));
};

// The package asks its query engine for the feed of all documents, for 0.4 ms a document and page.
const items = require(path.join(library, "account", "items")).default;
items.prototype.read = function ({ maxItemCount, continuation } = {}) {
  if (!this._parent.read()) return null;
  const start = Number(continuation) || 0, end = start + (maxItemCount > 0 ? maxItemCount : MOST_OF_A_PAGE);
  const result = [...this._data.values()].slice(start, end).map(item => item.read());
  return { result, continuation: end < this._data.size ? end : null };
};

const { createHttpServer, createHttpsServer } = require(path.join(library, "index"));
const server = (process.argv[4] === "https" ? createHttpsServer : createHttpServer)({ keepAlive: true });
// The package's own test of partition keys refuses queries that the service takes.
server.prependListener("request", request => {
  if (request.headers[PARTITION_KEY]) request.headers["x-ms-documentdb-query-enablecrosspartition"] = "true";
});
server.listen(Number(process.argv[3]), "127.0.0.1", () => console.log(server.address().port));
