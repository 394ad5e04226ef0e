import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { PGlite } from "@electric-sql/pglite";

/** The difference between a data directory of PGlite and that of an empty database. An empty database makes up nine tenths of
 *  the bytes, and is always the same for one version of PGlite, except for `pg_control` and the write-ahead log. */
interface Index {
  readonly files: readonly {
    readonly path: string;
    readonly bytes: number;
    /** The pages that differ from those of the same file in an empty directory; their content follows the index. */
    readonly pages: readonly number[];
  }[];
  /** Paths of an empty directory that this one does not have. */
  readonly absent: readonly string[];
  /** SHA-256 of the empty directory. */
  readonly emptySha256: string;
}

const pageBytes = 8192;
const control = "global/pg_control";
const log = "pg_wal/000000010000000000000001";

/** @param dir a directory whose process has ended regularly: PostgreSQL then does not read the write-ahead log before the last
 *    checkpoint, and these pages are left out */
export async function packPGlite(dir: string): Promise<Uint8Array> {
  const pagesAfterIndex: Buffer[] = [];
  const index = await withEmpty(async (empty): Promise<Index> => {
    const files = [];
    for (const path of await filesIn(dir)) {
      const content = await readFile(join(dir, path));
      if (path === log) content.fill(0, pageBytes, checkpointOffset(await readFile(join(dir, control))));
      const pages = changedPages(content, await contentIn(empty, path));
      for (const page of pages) pagesAfterIndex.push(pageOf(content, page));
      if (pages.length > 0 || !(await Bun.file(join(empty, path)).exists()))
        files.push({ path, bytes: content.length, pages });
    }
    const existing = new Set(await filesIn(dir));
    const absent = (await filesIn(empty)).filter((path) => !existing.has(path));
    return { files, absent, emptySha256: await hashOf(empty) };
  });
  return Buffer.concat([Buffer.from(`${JSON.stringify(index)}\n`), ...pagesAfterIndex]);
}

/** Makes the directory again.
 *  @throws Error if an empty database of this version of PGlite differs from one of the version that packed the directory */
export async function unpackPGlite(packed: Uint8Array, dir: string): Promise<void> {
  const bytes = Buffer.from(packed);
  const { files, absent, emptySha256 } = JSON.parse(bytes.toString("utf8", 0, bytes.indexOf("\n"))) as Index;
  await createEmpty(dir);
  if ((await hashOf(dir)) !== emptySha256) {
    throw new Error(
      "an empty database of this PGlite differs from an empty database of the PGlite that made the fixture",
    );
  }
  for (const path of absent) await rm(join(dir, path));
  let at = bytes.indexOf("\n") + 1;
  for (const { path, bytes: size, pages } of files) {
    const content = Buffer.alloc(size);
    (await contentIn(dir, path)).copy(content);
    for (const page of pages) at += bytes.copy(content, page * pageBytes, at, at + pageSize(content, page));
    await mkdir(dirname(join(dir, path)), { recursive: true });
    await Bun.write(join(dir, path), content);
  }
}

/** The offset in the log of the page with the last checkpoint, from the field `redo` of `pg_control`.
 *  Source: PostgreSQL's src/include/catalog/pg_control.h */
function checkpointOffset(pgControl: Buffer): number {
  const [state, redo] = [pgControl.readUInt32LE(16), Number(pgControl.readBigUInt64LE(40) & 0xffffffn)];
  if (state !== 1) throw new Error("the database was not shut down regularly");
  return redo - (redo % pageBytes);
}

function changedPages(content: Buffer, before: Buffer): number[] {
  const pages = Array.from({ length: Math.ceil(content.length / pageBytes) }, (_, page) => page);
  return pages.filter((page) => !pageOf(content, page).equals(pageOf(before, page)));
}

function pageOf(content: Buffer, page: number): Buffer {
  return content.subarray(page * pageBytes, (page + 1) * pageBytes);
}

function pageSize(content: Buffer, page: number): number {
  return pageOf(content, page).length;
}

/** A file's content in an empty directory; zeros for the log, which differs each time. */
async function contentIn(dir: string, path: string): Promise<Buffer> {
  const file = Bun.file(join(dir, path));
  if (path === log) return Buffer.alloc(file.size);
  return path !== control && (await file.exists()) ? Buffer.from(await file.bytes()) : Buffer.alloc(0);
}

async function withEmpty<T>(use: (dir: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "telemetry-empty-"));
  try {
    await createEmpty(join(folder, "pglite"));
    return await use(join(folder, "pglite"));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function createEmpty(dir: string): Promise<void> {
  await mkdir(dirname(dir), { recursive: true });
  await (await PGlite.create(dir)).close();
}

async function filesIn(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => relative(dir, join(parentPath, name))).sort();
}

async function hashOf(empty: string): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  for (const path of await filesIn(empty)) {
    if (path !== control && path !== log) hash.update(path).update(await readFile(join(empty, path)));
  }
  return hash.digest("hex");
}
