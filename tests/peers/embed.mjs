// SPDX-License-Identifier: Apache-2.0
// A JSON array of sentences on stdin -> their vectors by transformers.js, as JSON. usage: embed.mjs FOLDER_OF_NODE_MODULES MODEL_FOLDER
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [modules, model] = process.argv.slice(2);
const entry = createRequire(join(modules, "x.js")).resolve("@huggingface/transformers");
const { env, pipeline } = await import(pathToFileURL(entry).href);
env.allowRemoteModels = false;
env.localModelPath = dirname(model);
const extract = await pipeline("feature-extraction", basename(model), { dtype: "fp32" });
const vectors = [];
for (const sentence of JSON.parse(readFileSync(0, "utf8")))
  vectors.push(Array.from((await extract(sentence, { pooling: "mean", normalize: true })).data));
console.log(JSON.stringify(vectors));
