import { afterAll, expect, test } from "bun:test";
import { parseConfig } from "../../src/config/parse-config.ts";
import { idOfContent } from "../../src/pipeline/source/file-ids.ts";
import { openInputs } from "../../src/roles/open-source.ts";
import { CsvFolder } from "../support/csv-reading.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

const folder = new CsvFolder();
afterAll(() => folder.remove());

test("with LOOP_MODE, a file of a single instant is played once a second, not as fast as it can be read", async () => {
  const clock = new ManualClock();
  const path = folder.write(
    "timestamp,metric_name,gpu_id,uuid,Hostname,value\n2025-07-18T20:42:34Z,DCGM_FI_DEV_GPU_TEMP,0,GPU-a,host-a,41\n",
    "instant.csv",
  );
  const parts = {
    clock,
    log: unshownLog(),
    rounds: undefined,
    chooseFileId: idOfContent,
    instanceId: "test",
    onMissed: () => undefined,
  };
  const [input] = await openInputs(parseConfig({ CSV_FILE: path, LOOP_MODE: "true" }), parts);
  if (input?.kind !== "replayable") throw new Error("the file is not read");
  expect(await input.openRound(0)).toBeDefined();
  for (const round of [1, 2]) {
    let isOpen = false;
    const opening = input.openRound(round).then((source) => (isOpen = source !== undefined));
    await clock.advance(900);
    expect([clock.sleeperCount, isOpen]).toEqual([1, false]);
    await clock.advance(100);
    expect(await opening).toBe(true);
  }
});
