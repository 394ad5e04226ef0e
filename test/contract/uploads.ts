import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { UploadGone, UploadRefused } from "../../src/domain/errors.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import { SqlUploadStore } from "../../src/pipeline/store/sql/sql-upload-store.ts";
import type { UploadLimits } from "../../src/pipeline/store/upload-store.ts";

const limits: UploadLimits = { maxUnfinished: 4, maxUnfinishedOfClient: 2, maxStoredBytes: 64 * 1024 * 1024 };
const file = { fileName: "fleet.csv", clusterId: "lab", hostname: undefined, sender: "ci", expectedBytes: undefined };
const cancelled = { state: "cancelled", message: "cancelled by ci" } as const;

/** Bytes that cannot be packed. */
function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  return bytes;
}

/** The contract of stores of uploads. */
export function exerciseUploads(name: string, open: () => Promise<OpenStore>): void {
  describe(`uploads in ${name}`, () => {
    let store: OpenStore;
    let uploads: SqlUploadStore;
    beforeAll(async () => {
      store = await open();
      uploads = new SqlUploadStore(store.client);
    }, 300_000);
    afterAll(() => store.close());

    const begin = async (client = "ci"): Promise<string> => (await uploads.begin({ ...file, client }, limits)).id;
    const partRows = async (): Promise<number> =>
      Number((await store.client.query<{ n: number }>("select count(*)::int as n from upload_parts"))[0]?.n);

    test("the bytes that are added are read back, part by part, until the upload ends", async () => {
      const id = await begin();
      const [first, last] = [randomBytes(uploads.partBytes), randomBytes(1000)];
      await uploads.add({ id, number: 0, bytes: first }, limits);
      await uploads.add({ id, number: 1, bytes: last }, limits);
      // its answer was lost
      await uploads.add({ id, number: 1, bytes: last }, limits);
      expect((await uploads.find(id))?.receivedBytes).toBe(first.length + last.length);
      expect(await uploads.readable()).toEqual([]);
      const { upload, isDuplicate } = await uploads.finish(id, "content-1");
      expect([upload.state, isDuplicate]).toEqual(["queued", false]);
      expect((await uploads.readable()).map((each) => [each.id, each.client])).toEqual([[id, "ci"]]);
      expect(Buffer.from(await uploads.part(id, 0)).equals(first)).toBe(true);
      expect(Buffer.from(await uploads.part(id, 1)).equals(last)).toBe(true);
      const progress = { rows: 3, records: 2, samples: 9, rejected: { missing_field: 1 }, contentBytes: 70 };
      expect(await uploads.progressed(id, { contentBytes: 100, progress })).toBe(true);
      expect(await uploads.find(id)).toMatchObject({ state: "reading", contentBytes: 100, progress });
      expect((await uploads.end(id, { state: "done", message: "" }))?.state).toBe("done");
      expect(await uploads.end(id, cancelled)).toBeUndefined();
      expect(await uploads.progressed(id, { contentBytes: 100, progress })).toBe(false);
      expect(await partRows()).toBe(0);
      await expect(uploads.part(id, 0)).rejects.toThrow(UploadGone);
    });

    test("the same content is kept once, unless the earlier upload was cancelled", async () => {
      const first = await begin();
      await uploads.finish(first, "content-2");
      const again = await begin();
      await uploads.add({ id: again, number: 0, bytes: randomBytes(10) }, limits);
      expect(await uploads.finish(again, "content-2")).toMatchObject({ upload: { id: first }, isDuplicate: true });
      expect(await uploads.find(again)).toBeUndefined();
      expect(await partRows()).toBe(0);
      await uploads.end(first, cancelled);
      const third = await begin();
      expect((await uploads.finish(third, "content-2")).isDuplicate).toBe(false);
      await uploads.end(third, cancelled);
    });

    test("of two that finish at once with the same content, one is kept", async () => {
      const ids = [await begin("a"), await begin("b")];
      const finished = await Promise.all(ids.map((id) => uploads.finish(id, "content-3")));
      expect(finished.filter(({ isDuplicate }) => isDuplicate)).toHaveLength(1);
      await uploads.end(finished[0]?.upload.id ?? "", cancelled);
    });

    test("limits hold for all, for one client, and for the space", async () => {
      const ids = await Promise.all([begin("a"), begin("a"), begin("b")]);
      await expect(begin("a")).rejects.toThrow("half of UPLOADS_MAX");
      ids.push(await begin("c"));
      await expect(begin("d")).rejects.toThrow(/at most 4 may be \(UPLOADS_MAX\)/);
      const small = { ...limits, maxStoredBytes: 1000 };
      const part = { id: ids[0] ?? "", number: 0, bytes: randomBytes(2000) };
      await expect(uploads.add(part, small)).rejects.toThrow(UploadRefused);
      expect((await uploads.find(part.id))?.receivedBytes).toBe(0);
      for (const id of ids) await uploads.end(id, cancelled);
    });

    test("an upload that was cancelled, or that was silent for too long, takes no more bytes", async () => {
      const id = await begin();
      await uploads.add({ id, number: 0, bytes: randomBytes(10) }, limits);
      expect(await uploads.endSilent(60)).toBe(0);
      await store.client.query("update uploads set changed_at = now() - interval '2 minutes' where id = $1", [id]);
      expect(await uploads.endSilent(60)).toBe(1);
      expect(await uploads.find(id)).toMatchObject({ state: "failed" });
      await expect(uploads.add({ id, number: 1, bytes: randomBytes(10) }, limits)).rejects.toThrow(UploadGone);
      await expect(uploads.finish(id, "content-4")).rejects.toThrow("is failed: Nothing has arrived");
      expect(await partRows()).toBe(0);
    });

    test("only uploads that have ended are removed from the list, and the newest ones are kept", async () => {
      const running = await begin();
      expect(await uploads.remove(running)).toBeUndefined();
      await uploads.end(running, cancelled);
      const listed = await uploads.list(1);
      expect(listed.map(({ id }) => id)).toEqual([running]);
      await uploads.trim(1);
      expect((await uploads.list(10)).map(({ id }) => id)).toEqual([running]);
      expect((await uploads.remove(running))?.id).toBe(running);
      expect(await uploads.list(10)).toEqual([]);
    });
  });
}
