import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { encodeTime } from "ulid";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { readDatabaseState } from "../../src/db/sql/database-state.ts";
import { countConflicts } from "../../src/db/sql/count-conflicts.ts";
import type { RejectedInput } from "../../src/domain/batch.ts";
import { allTime } from "../../src/domain/time-range.ts";
import type { OpenStore } from "../../src/pipeline/store/open-store.ts";
import type { IngestMessage } from "../../src/pipeline/store/telemetry-store.ts";

const t0 = Date.UTC(2025, 6, 18, 20, 42, 34);
const dayMs = 86_400_000;

const rejection: RejectedInput = {
  ...{ line: 3, byte: 7, reason: "invalid_value", field: "value", value: "x", message: "no number", raw: "raw" },
};

/** The contract of the record of stored messages: what it says does not change when messages are folded. */
export function exerciseMessageFolding(name: string, open: () => Promise<OpenStore>): void {
  describe(`${name} folds the record of stored messages`, () => {
    let opened: OpenStore;
    let messages = 0;
    beforeAll(async () => void (opened = await open()));
    afterAll(() => opened.close());

    /** A message that was published so many days ago. */
    function messageAt(source: string, from: number, to: number, daysAgo = 3): IngestMessage {
      messages += 1;
      const id = `${encodeTime(Date.now() - daysAgo * dayMs, 10)}${String(messages).padStart(16, "0")}`;
      const batch = makeBatch([{ uuid: source, timeMs: t0 + from, metrics: { temperature: from } }], [rejection]);
      return { ...messageOf(id, batch, { source, from, to }), idempotencyKey: `${source}:${from}-${to}` };
    }

    const storeAll = async (all: readonly IngestMessage[]): Promise<void> => {
      for (const message of all) await opened.store.ingest(message);
    };

    const run = (text: string) => opened.client.transaction((transaction) => transaction.query(text));
    const letTimePass = () => run("update ingested_messages set ingested_at = ingested_at - interval '2 days'");

    async function recordsOf(uuid: string): Promise<number> {
      const { history } = opened.queries;
      return (await history.records({ gpus: { uuids: [uuid] }, range: allTime, limit: 100 })).elements.length;
    }

    test("of the rounds of a file, the newest 1,000 are remembered; other files and sources are not forgotten", async () => {
      const { store, folding, client } = opened;
      const rounds = "select 'looped.csv:now:' || 1000 + n || ':' || 2000 - n from generate_series(0, 999) n";
      const others = "values ('looped.csv:round:7'), ('looped.csv'), ('looped.csv:now'), ('other.csv:now:1:2')";
      const zeroes = Array.from({ length: 10 }, () => 0).join(", ");
      await run(`insert into folded_totals select id, ${zeroes}, '{}', 0 from (${rounds} union all ${others}) s(id)`);
      await run(
        `insert into folded_ranges select source_id, 0, 0, 1, 1 from folded_totals where source_id like '%.csv%'`,
      );
      await store.ingest(messageAt("looped.csv:now:5000:0", 0, 10));
      await letTimePass();
      await folding.fold();
      for (const table of ["folded_totals", "folded_ranges"]) {
        const kept = await client.query<{ id: string }>(
          `select source_id as id from ${table} where source_id like '%.csv%'`,
        );
        const ids = kept.map(({ id }) => id);
        expect(ids).toHaveLength(1003);
        expect(ids).toContain("looped.csv:now:5000:0");
        expect(ids.filter((id) => !id.startsWith("looped.csv:now:")).sort()).toEqual([
          "looped.csv",
          "looped.csv:now",
          "other.csv:now:1:2",
        ]);
        expect(ids).not.toContain("looped.csv:now:1000:2000");
      }
      for (const table of ["folded_totals", "folded_ranges", "ingested_messages"]) await run(`delete from ${table}`);
    });

    test("a folded message that is delivered again is a duplicate; progress, totals and the latest time stay", async () => {
      const { store, folding, client } = opened;
      const ofFile = [messageAt("file", 0, 10), messageAt("file", 10, 20), messageAt("file", 30, 40)];
      const live = [messageAt("live", t0 + 5, t0 + 5), messageAt("live", t0, t0)];
      await storeAll([...ofFile, ...live]);
      await letTimePass();
      const told = async () => ({
        file: await store.progressOf("file"),
        live: await store.progressOf("live"),
        latest: await store.latestInstantMs("live"),
        conflicts: await countConflicts(client),
      });
      const before = await told();
      expect(await folding.fold()).toEqual({ messages: 5, forgotten: 0 });
      expect(await client.query("select from ingested_messages")).toHaveLength(0);
      expect(await told()).toEqual(before);
      expect(before.latest).toBe(t0 + 5);
      const renamed = ofFile.map((message) => ({ ...message, messageId: `${message.messageId} again` }));
      for (const message of [...ofFile, ...live, ...renamed]) {
        expect(await store.ingest(message)).toMatchObject({ duplicate: true, recordsInserted: 0 });
      }
      const young = messageAt("file", 40, 50, 0);
      const together = await Promise.all([...ofFile, young].map((message) => store.ingest(message)));
      expect(together.map(({ duplicate }) => duplicate)).toEqual([true, true, true, false]);
      expect((await told()).live).toEqual(before.live);
      for (const message of [ofFile[0], live[1]]) {
        expect(await readDatabaseState(client, message)).toMatchObject({ hasMessage: true });
      }
      expect(await readDatabaseState(client, messageAt("file", 90, 99))).toMatchObject({ hasMessage: false });
    });

    test("a file that is read again in other parts is recognised where folded messages cover it", async () => {
      const { store, folding } = opened;
      await storeAll([messageAt("parts", 0, 10), messageAt("parts", 10, 20)]);
      await letTimePass();
      await folding.fold();
      expect(await store.ingest(messageAt("parts", 5, 20, 0))).toMatchObject({ duplicate: true });
      expect(await store.ingest(messageAt("parts", 5, 21, 0))).toMatchObject({ duplicate: false });
      expect(await store.ingest(messageAt("parts", 5, 5, 0))).toMatchObject({ duplicate: false });
    });

    test("what is folded later joins what was folded before, and what has a row", async () => {
      const { store, folding } = opened;
      const stored = async () => (await store.progressOf("later")).stored.map(({ from, to }) => [from, to]);
      const at = (offset: number) => ({ offset, line: offset });
      await storeAll([messageAt("later", 10, 20), messageAt("later", 30, 40)]);
      await letTimePass();
      await folding.fold();
      await storeAll([messageAt("later", 0, 10)]);
      await letTimePass();
      await folding.fold();
      await storeAll([messageAt("later", 20, 30, 0)]);
      expect(await stored()).toEqual([[at(0), at(40)]]);
      const { totals } = await store.progressOf("later");
      expect(totals).toMatchObject({ messages: 4, rows: 4, recordsInserted: 4, rejected: { invalid_value: 4 } });
    });

    test("a message has its row for a day after it was published, and for an hour after it was stored", async () => {
      const { folding, client } = opened;
      const rows = () => client.query("select from ingested_messages where source_id = 'young'");
      await letTimePass();
      await folding.fold();
      await storeAll([messageAt("young", 0, 10)]);
      expect(await folding.fold()).toMatchObject({ messages: 0 });
      await storeAll([messageAt("young", 10, 20, 0.9)]);
      await letTimePass();
      expect(await folding.fold()).toMatchObject({ messages: 1 });
      expect(await rows()).toHaveLength(1);
    });

    test("a message whose key is no longer kept changes no record when it is delivered again", async () => {
      const { store, folding, client } = opened;
      const message = messageAt("forgotten", 5, 5);
      await storeAll([message]);
      await letTimePass();
      await folding.fold();
      await run("update folded_keys set stored_at = stored_at - interval '32 days'");
      expect((await folding.fold()).forgotten).toBeGreaterThan(0);
      expect(await client.query("select from folded_keys")).toHaveLength(0);
      expect(await store.ingest(message)).toMatchObject({ duplicate: false, recordsInserted: 0, recordsMerged: 1 });
      expect(await recordsOf("forgotten")).toBe(1);
    });
  });
}
