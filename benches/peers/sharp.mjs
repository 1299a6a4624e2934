// The same work with sharp (libvips): both thumbnails from one decode, on one thread.
//
// FILE WARMUP ITERATIONS jpg|png   measures, and prints a line of JSON
// FILE --looks FOLDER jpg|png      writes the thumbnails as they are before encoding, as PNG, and encoded

import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';

sharp.concurrency(1);
sharp.cache(false);

const inside = { fit: 'inside', withoutEnlargement: true };

// A picture of the pixels of the medium thumbnail, upright and in sRGB.
async function decode(bytes) {
  const { data, info } = await sharp(bytes)
    .autoOrient()
    .resize(512, 512, inside)
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  return () => sharp(data, { raw: { width, height, channels } });
}

function encode(picture, format) {
  return format === 'png' ? picture.png() : picture.flatten({ background: 'white' }).jpeg({ quality: 80 });
}

async function work(file, format) {
  const bytes = await readFile(file);
  await sharp(bytes).metadata();
  const medium = await decode(bytes);
  return {
    512: (await encode(medium(), format).toBuffer()).length,
    128: (await encode(medium().resize(128, 128, inside), format).toBuffer()).length,
  };
}

async function measure(file, warmup, iterations, format) {
  const idle_kib = peakKib();
  for (let i = 0; i < warmup; i++) await work(file, format);
  const cpu_ms = [];
  let bytes;
  for (let i = 0; i < iterations; i++) {
    const begun = process.cpuUsage();
    bytes = await work(file, format);
    const { user, system } = process.cpuUsage(begun);
    cpu_ms.push((user + system) / 1e3);
  }
  console.log(JSON.stringify({ cpu_ms, bytes, idle_kib, peak_kib: peakKib() }));
}

async function writeLooks(file, folder, format) {
  const medium = await decode(await readFile(file));
  const small = () => medium().resize(128, 128, inside);
  for (const [size, picture] of Object.entries({ 512: medium, 128: small })) {
    await picture().png().toFile(join(folder, `${size}.png`));
    await encode(picture(), format).toFile(join(folder, `${size}.encoded.${format}`));
  }
}

// The most resident memory that this process has had, in KiB.
function peakKib() {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))[1]);
}

const [file, ...rest] = process.argv.slice(2);
if (rest[0] === '--looks') await writeLooks(file, rest[1], rest[2]);
else await measure(file, Number(rest[0]), Number(rest[1]), rest[2]);
