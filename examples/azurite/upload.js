// Writes the files of a folder as append blobs, as Azure does with logs. Run again, it appends what
// the files have grown by.
//
//     node examples/azurite/upload.js FOLDER CONTAINER [PREFIX]
//
// AZURE_STORAGE_CONNECTION_STRING names the account. The container is created if it is missing.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { BlobServiceClient } = require("@azure/storage-blob");

// The most bytes of one append.
const BLOCK = 4 << 20;

async function upload(file, blob) {
  await blob.createIfNotExists();
  const { contentLength } = await blob.getProperties();
  const grown = fs.readFileSync(file).subarray(contentLength);
  for (let at = 0; at < grown.length; at += BLOCK) {
    const block = grown.subarray(at, at + BLOCK);
    await blob.appendBlock(block, block.length);
  }
  console.log(`${blob.name}: ${grown.length} bytes appended`);
}

async function main([folder, name, prefix = ""]) {
  const connection = process.env.AZURE_STORAGE_CONNECTION_STRING;
  if (!folder || !name || !connection) {
    throw new Error("usage: AZURE_STORAGE_CONNECTION_STRING=... node upload.js FOLDER CONTAINER [PREFIX]");
  }
  const container = BlobServiceClient.fromConnectionString(connection).getContainerClient(name);
  await container.createIfNotExists();
  for (const file of fs.readdirSync(folder).sort()) {
    await upload(path.join(folder, file), container.getAppendBlobClient(prefix + file));
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`error: ${error.message}`);
  process.exit(1);
});
