import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ArchiveFiles } from "../../src/pipeline/upkeep/archive/archive-files.ts";
import { openArchiveFiles } from "../../src/pipeline/upkeep/archive/open-files.ts";
import { objectAccess, serveObjects } from "./object-server.ts";

setDefaultTimeout(20_000);

// The contract of archives' files, on each place that they may be in.

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

async function write(files: ArchiveFiles, path: string, parts: readonly Uint8Array[]): Promise<void> {
  const file = await files.create(path);
  for (const part of parts) await file.write(part);
  await file.finish();
}

async function textOf(files: ArchiveFiles, path: string): Promise<string> {
  return new TextDecoder().decode(await (await files.open(path)).slice(0));
}

async function exercise(files: ArchiveFiles): Promise<void> {
  expect(await Array.fromAsync(files.list())).toEqual([]);
  const path = "date=2026-01-01/cluster=a%2Fb c/2026-01-01T05.parquet";
  expect(await files.sizeOf(path)).toBeUndefined();
  const file = await files.create(path);
  await file.write(bytesOf("first "));
  expect(await files.sizeOf(path)).toBeUndefined();
  await file.write(bytesOf("version"));
  await file.finish();
  expect([await files.sizeOf(path), await textOf(files, path)]).toEqual([13, "first version"]);
  const unfinished = await files.create(path);
  await unfinished.write(bytesOf("never"));
  await unfinished.discard();
  expect(await textOf(files, path)).toBe("first version");
  await write(files, path, [bytesOf("second")]);
  for (const name of ["b", "a", "c"]) await write(files, `${name}.parquet`, [bytesOf(name)]);
  await write(files, "note.txt", [bytesOf("no Parquet")]);
  expect(await Array.fromAsync(files.list())).toEqual([
    ...["a.parquet", "b.parquet", "c.parquet"].map((name) => ({ path: name, bytes: 1 })),
    { path, bytes: 6 },
  ]);
  const opened = await files.open(path);
  const slice = async (from: number, to?: number) => new TextDecoder().decode(await opened.slice(from, to));
  expect([opened.byteLength, await slice(1, 3), await slice(4)]).toEqual([6, "ec", "nd"]);
  await expect(files.open("none.parquet")).rejects.toThrow("none.parquet");
}

test("files in a folder appear whole, and replace others at once", async () => {
  const folder = mkdtempSync(join(tmpdir(), "archive-"));
  await exercise(openArchiveFiles(folder));
  expect(readdirSync(folder).filter((name) => name.startsWith("."))).toEqual([]);
  const blocked = join(folder, "a-file");
  writeFileSync(blocked, "");
  await expect(openArchiveFiles(blocked).create("x.parquet")).rejects.toThrow(blocked);
  expect(existsSync(join(folder, "x.parquet"))).toBe(false);
  rmSync(folder, { recursive: true });
});

test("objects of an S3 store appear whole, and replace others at once", async () => {
  using server = serveObjects();
  const files = openArchiveFiles("s3://telemetry/fleet/gpus/", { ...objectAccess, endpoint: server.endpoint });
  expect(files.description).toBe("s3://telemetry/fleet/gpus/");
  await exercise(files);
  expect([...server.objects.keys()].every((key) => key.startsWith("fleet/gpus/"))).toBe(true);
  // more than a part: an upload in parts, whose parts are no object
  const large = crypto.getRandomValues(new Uint8Array(65_536));
  const parts = Array.from({ length: 130 }, () => large);
  const file = await files.create("large.parquet");
  for (const part of parts) await file.write(part);
  expect(await files.sizeOf("large.parquet")).toBeUndefined();
  await file.finish();
  expect(await files.sizeOf("large.parquet")).toBe(130 * 65_536);
  expect(server.uploads.size).toBe(0);
  server.isFull = true;
  const refused = await files.create("refused.parquet");
  await refused.write(large);
  await expect(refused.finish()).rejects.toThrow("s3://telemetry/fleet/gpus/");
  const stranger = { ...objectAccess, secretAccessKey: "other", endpoint: server.endpoint };
  await expect(openArchiveFiles("s3://telemetry", stranger).sizeOf("a.parquet")).rejects.toThrow("s3://telemetry/");
});
