// The round with openapi-fetch, on the types that openapi-typescript makes.

import { strict as assert } from "node:assert";
import createClient from "openapi-fetch";
import type { components, paths } from "./openapi_fetch_schema.js";
import { broken, bytes, fromBytes, fromPath, fromStream, isInOrder, isJpeg, key, noPicture, readKey, runAll, tooLarge, url } from "./steps.js";

type Schemas = components["schemas"];

const client = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${key}` } });
const uploaded: number[] = [];
const first = () => ({ path: { id: uploaded[0] ?? 0 } });

// These types know files as texts; the serializer is where the file itself goes in.
function form(file: File) {
  const bodySerializer = () => {
    const form = new FormData();
    form.append("file", file);
    return form;
  };
  return { body: { file: file.name }, bodySerializer };
}

async function upload(file: File): Promise<void> {
  const { data } = await client.POST("/api/images", form(file));
  const taken: Schemas["Upload"] | undefined = data?.data;
  assert(taken);
  assert.deepEqual([taken.original_name, taken.status], [file.name, "processing"]);
  uploaded.push(taken.image_id);
}

async function page(cursor?: string): Promise<Schemas["ImageList"]> {
  const { data } = await client.GET("/api/images", { params: { query: { limit: 2, cursor, status: "success" } } });
  assert(data);
  return data.data;
}

async function refused(
  status: number,
  code: string,
  call: Promise<{ error?: Schemas["ErrorBody"]; response: Response }>,
): Promise<void> {
  const { error, response } = await call;
  assert.equal(response.status, status);
  assert.equal(error?.code, code);
  assert(error.error && error.request_id);
}

await runAll([
  ["path", async () => upload(await fromPath())],
  ["bytes", async () => upload(fromBytes())],
  ["stream", async () => upload(await fromStream())],
  ["wait", async () => {
    for (const id of uploaded) {
      const { data } = await client.GET("/api/images/{id}", { params: { path: { id }, query: { wait: 30 } } });
      const image: Schemas["Image"] | undefined = data?.data;
      const metadata: Schemas["Metadata"] | null | undefined = image?.metadata;
      assert(image);
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
    for (const size of ["small", "medium"] satisfies Schemas["ThumbnailSize"][]) {
      const params = { path: { ...first().path, size } };
      const { data } = await client.GET("/api/images/{id}/thumbnails/{size}", { params, parseAs: "blob" });
      assert(data && (await isJpeg(data)));
    }
  }],
  ["original", async () => {
    const { data } = await client.GET("/api/images/{id}/original", { params: first(), parseAs: "arrayBuffer" });
    assert(data && bytes.equals(new Uint8Array(data)));
  }],
  ["stats", async () => {
    const { data } = await client.GET("/api/stats", { headers: { Authorization: null, "X-API-Key": key } });
    const stats: Schemas["Stats"] | undefined = data?.data;
    assert(stats && stats.successful >= uploaded.length && stats.stages["thumbnails"]);
  }],
  ["401", async () => {
    for (const Authorization of [null, "Bearer wrong"]) {
      await refused(401, "unauthorized", client.GET("/api/images/{id}", { params: first(), headers: { Authorization } }));
    }
  }],
  ["403", async () => {
    const headers = { Authorization: `Bearer ${readKey}` };
    await refused(403, "forbidden", client.DELETE("/api/images/{id}", { params: first(), headers }));
  }],
  ["409", async () => refused(409, "conflict", client.POST("/api/images/{id}/retry", { params: first() }))],
  ["413", async () => refused(413, "payload_too_large", client.POST("/api/images", form(tooLarge)))],
  ["415", async () => refused(415, "unsupported_type", client.POST("/api/images", form(noPicture)))],
  ["422", async () => refused(422, "undecodable", client.POST("/api/images", form(broken)))],
  ["delete", async () => {
    for (const id of uploaded) {
      const { response } = await client.DELETE("/api/images/{id}", { params: { path: { id } } });
      assert.equal(response.status, 204);
    }
  }],
  ["404", async () => {
    await refused(404, "not_found", client.GET("/api/images/{id}", { params: first() }));
    const params = { path: { ...first().path, size: "small" as const } };
    await refused(404, "not_found", client.GET("/api/images/{id}/thumbnails/{size}", { params }));
  }],
]);
