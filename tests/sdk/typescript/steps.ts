// The steps of a round, run in order; how each of them went is told on standard output, for tests/sdk/run to gather.

import { strict as assert } from "node:assert";
import { createReadStream, openAsBlob, readFileSync } from "node:fs";
import { basename } from "node:path";
import { Readable } from "node:stream";

function given(name: string): string {
  const value = process.env[name];
  assert(value, `${name} is not set`);
  return value;
}

export const url = given("SDK_URL");
export const key = given("SDK_KEY");
export const readKey = given("SDK_READ_KEY");
const picture = given("SDK_PICTURE");
export const bytes = readFileSync(picture);

export async function fromPath(): Promise<File> {
  return new File([await openAsBlob(picture)], basename(picture));
}

export function fromBytes(content: Uint8Array<ArrayBuffer> = bytes): File {
  return new File([content], "bytes.jpg");
}

export async function fromStream(): Promise<File> {
  const stream = Readable.toWeb(createReadStream(picture, { highWaterMark: 100 }));
  return new File([await new Response(stream as ReadableStream).blob()], "stream.jpg");
}

// Too large, no picture, and one that does not go on as it begins.
export const tooLarge = fromBytes(new Uint8Array([...bytes, ...new Uint8Array(Number(given("SDK_MAX_UPLOAD_BYTES")))]));
export const noPicture = fromBytes(new TextEncoder().encode("GIF89a, and so on"));
export const broken = fromBytes(bytes.subarray(0, 12));

export async function isJpeg(blob: Blob): Promise<boolean> {
  const [first, second] = new Uint8Array(await blob.arrayBuffer());
  return first === 0xff && second === 0xd8;
}

/** Newest first, and nothing twice. */
export function isInOrder(ids: number[]): boolean {
  return ids.every((id, index) => index === 0 || id < (ids[index - 1] ?? 0));
}

export type Step = [name: string, run: () => Promise<void>];

export async function runAll(steps: Step[]): Promise<void> {
  for (const [name, run] of steps) {
    try {
      await run();
      console.log(`${name} ok`);
    } catch (error) {
      console.error(name, error);
      console.log(`${name} FAILED`);
    }
  }
}
