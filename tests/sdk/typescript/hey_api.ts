// The round with the client of @hey-api/openapi-ts.

import { strict as assert } from "node:assert";
import {
  deleteImage,
  getImage,
  getOriginal,
  getStats,
  getThumbnail,
  listImages,
  retryImage,
  uploadImage,
  type ErrorBody,
  type Image,
  type ImageList,
  type Metadata,
  type Stats,
  type ThumbnailSize,
  type Upload,
} from "./hey_api/index.js";
import { createClient, createConfig } from "./hey_api/client/index.js";
import { broken, bytes, fromBytes, fromPath, fromStream, isInOrder, isJpeg, key, noPicture, readKey, runAll, tooLarge, url } from "./steps.js";

const client = createClient(createConfig({ baseUrl: url, auth: ({ type }) => (type === "http" ? key : undefined) }));
const uploaded: number[] = [];
const first = () => ({ id: uploaded[0] ?? 0 });

async function upload(file: File): Promise<void> {
  const { data } = await uploadImage({ client, body: { file }, throwOnError: true });
  const taken: Upload = data.data;
  assert.deepEqual([taken.original_name, taken.status], [file.name, "processing"]);
  uploaded.push(taken.image_id);
}

async function page(cursor?: string): Promise<ImageList> {
  const { data } = await listImages({ client, query: { limit: 2, cursor, status: "success" }, throwOnError: true });
  return data.data;
}

async function refused(status: number, code: string, call: Promise<{ error?: ErrorBody; response?: Response }>): Promise<void> {
  const { error, response } = await call;
  assert.equal(response?.status, status);
  assert.equal(error?.code, code);
  assert(error.error && error.request_id);
}

await runAll([
  ["path", async () => upload(await fromPath())],
  ["bytes", async () => upload(fromBytes())],
  ["stream", async () => upload(await fromStream())],
  ["wait", async () => {
    for (const id of uploaded) {
      const { data } = await getImage({ client, path: { id }, query: { wait: 30 }, throwOnError: true });
      const image: Image = data.data;
      const metadata: Metadata | null = image.metadata;
      assert.deepEqual([image.status, image.error, image.caption], ["success", null, null]);
      assert.equal(metadata?.size_bytes, bytes.length);
      assert.deepEqual(image.stages.map((stage) => stage.name), ["metadata", "thumbnails", "caption"]);
    }
  }],
  ["pages", async () => {
    const seen: number[] = [];
    let [cursor, pages]: [string | undefined, number] = [undefined, 0];
    do {
      const part = await page(cursor);
      assert(part.images.length <= 2);
      seen.push(...part.images.map((image) => image.image_id));
      cursor = part.next_cursor ?? undefined;
      pages += 1;
    } while (cursor !== undefined);
    assert(pages > 1 && isInOrder(seen) && uploaded.every((id) => seen.includes(id)), `${seen}`);
  }],
  ["thumbnails", async () => {
    for (const size of ["small", "medium"] satisfies ThumbnailSize[]) {
      const { data } = await getThumbnail({ client, path: { ...first(), size }, throwOnError: true });
      assert(await isJpeg(data));
    }
  }],
  ["original", async () => {
    const { data } = await getOriginal({ client, path: first(), throwOnError: true });
    assert(bytes.equals(new Uint8Array(await data.arrayBuffer())));
  }],
  ["stats", async () => {
    const auth = ({ type }: { type: string }) => (type === "apiKey" ? key : undefined);
    const { data } = await getStats({ client, auth, throwOnError: true });
    const stats: Stats = data.data;
    assert(stats.successful >= uploaded.length && stats.stages["thumbnails"]);
  }],
  ["401", async () => {
    await refused(401, "unauthorized", getImage({ client, auth: undefined, path: first() }));
    await refused(401, "unauthorized", getImage({ client, auth: "wrong", path: first() }));
  }],
  ["403", async () => refused(403, "forbidden", deleteImage({ client, auth: readKey, path: first() }))],
  ["409", async () => refused(409, "conflict", retryImage({ client, path: first() }))],
  ["413", async () => refused(413, "payload_too_large", uploadImage({ client, body: { file: tooLarge } }))],
  ["415", async () => refused(415, "unsupported_type", uploadImage({ client, body: { file: noPicture } }))],
  ["422", async () => refused(422, "undecodable", uploadImage({ client, body: { file: broken } }))],
  ["delete", async () => {
    for (const id of uploaded) {
      const { response } = await deleteImage({ client, path: { id } });
      assert.equal(response?.status, 204);
    }
  }],
  ["404", async () => {
    await refused(404, "not_found", getImage({ client, path: first() }));
    await refused(404, "not_found", getThumbnail({ client, path: { ...first(), size: "small" } }));
  }],
]);
