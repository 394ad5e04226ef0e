import { afterAll, expect, test } from "bun:test";
import { hostname } from "node:os";
import { parseConfig } from "../../../src/config/parse-config.ts";
import { systemClock } from "../../../src/kit/clock.ts";
import { idOfContent } from "../../../src/pipeline/source/file-ids.ts";
import type { RangeBatch } from "../../../src/pipeline/source/source.ts";
import { openInputs, type StreamedInput } from "../../../src/roles/open-source.ts";
import { CsvFolder } from "../../support/csv-reading.ts";
import { recordsIn } from "../../support/merged-records.ts";
import { smiXml } from "./smi-xml.ts";
import { unshownLog } from "../../../dev/unshown-log.ts";

const folder = new CsvFolder();
afterAll(() => folder.remove());

const openWith = (env: Record<string, string>): Promise<readonly StreamedInput[]> =>
  openInputs(parseConfig(env), {
    clock: systemClock,
    log: unshownLog(),
    rounds: undefined,
    chooseFileId: idOfContent,
    instanceId: "test",
    onMissed: () => undefined,
  });

const xml = folder.write(smiXml([{}], { timestamp: "Fri Aug  4 11:44:30 2023" }), "gpus.xml");

async function batchesOf(input: StreamedInput | undefined): Promise<RangeBatch[]> {
  const source = input?.kind === "replayable" ? await input.openRound(0) : undefined;
  return source === undefined ? [] : Array.fromAsync(source.read(source.whole, new AbortController().signal));
}

async function hostIn(input: StreamedInput | undefined): Promise<string | undefined> {
  const [batch] = await batchesOf(input);
  return batch && recordsIn(batch.batch)[0]?.gpu.hostname;
}

function descriptionOf(input: StreamedInput): string {
  if (input.kind === "targets") return input.targets.description;
  return input.kind === "live" ? input.source.description : input.description;
}

test("NVIDIA_SMI is one more input of a process, and takes the place of the simulated fleet", async () => {
  const descriptionsOf = async (env: Record<string, string>): Promise<string[]> =>
    (await openWith({ SOURCE_HOSTNAME: "box", ...env })).map((input) => `${input.name}: ${descriptionOf(input)}`);
  const simulated = "streamer: simulated fleet of 4 hosts x 8 GPUs";
  const smi = "nvidia-smi: nvidia-smi on box, every 15 s";
  expect(await descriptionsOf({})).toEqual([simulated]);
  expect(await descriptionsOf({ NVIDIA_SMI: "false" })).toEqual([simulated]);
  expect(await descriptionsOf({ NVIDIA_SMI: "true" })).toEqual([smi]);
  const exporters = "exporters: exporters of DCGM_TARGETS, DCGM_TARGETS_SRV=_dcgm._tcp.example";
  const targets = { DCGM_TARGETS: "gpu1,gpu2", DCGM_TARGETS_SRV: "_dcgm._tcp.example" };
  expect(await descriptionsOf({ NVIDIA_SMI: "true", ...targets })).toEqual([smi, exporters]);
  await expect(descriptionsOf({ DCGM_TARGETS: "http://a:b@gpu1" })).rejects.toThrow("DCGM_USERNAME");
  await expect(descriptionsOf({ ...targets, DCGM_CA_FILE: "/nowhere.pem" })).rejects.toThrow(
    "DCGM_CA_FILE=/nowhere.pem",
  );
  expect(await descriptionsOf({ NVIDIA_SMI: "1", CSV_FILE: xml })).toEqual([`streamer: ${xml}`, smi]);
  expect(await descriptionsOf({ NVIDIA_SMI: "/opt/nvidia-smi", NVIDIA_SMI_INTERVAL: "5s" })).toEqual([
    "nvidia-smi: /opt/nvidia-smi on box, every 5 s",
  ]);
  // its arguments may be secret
  expect(await descriptionsOf({ NVIDIA_SMI: "sshpass -p secret ssh box nvidia-smi -q -x" })).toEqual([
    "nvidia-smi: sshpass ... on box, every 15 s",
  ]);
});

const csv = folder.write(
  "timestamp, index, uuid, temperature.gpu\n2026/07/14 08:12:38.696, 0, GPU-1, 45\n",
  "gpus.csv",
);

test.each([xml, csv])(
  "GPUs of a file that names no host are on SOURCE_HOSTNAME, or on this machine; streamers that share it need the setting",
  async (file) => {
    expect(await hostIn((await openWith({ CSV_FILE: file }))[0])).toBe(hostname());
    expect(await hostIn((await openWith({ CSV_FILE: file, SOURCE_HOSTNAME: "box" }))[0])).toBe("box");
    const shared = { CSV_FILE: file, ETCD_ENDPOINTS: "http://localhost:2379" };
    await expect(openWith(shared)).rejects.toThrow("does not name the host of its GPUs; set SOURCE_HOSTNAME");
    expect(await hostIn((await openWith({ ...shared, SOURCE_HOSTNAME: "box" }))[0])).toBe("box");
  },
);

test("XML cannot be played in a loop or as if it were live", async () => {
  for (const setting of [{ LOOP_MODE: "true" }, { TIMESTAMPS: "now" }]) {
    await expect(openWith({ CSV_FILE: xml, ...setting })).rejects.toThrow(
      "LOOP_MODE and TIMESTAMPS=now need a CSV file",
    );
  }
});

test("only a file that is read as fast as possible is sent in large messages", async () => {
  const header =
    "timestamp,metric_name,gpu_id,device,uuid,modelName,Hostname,container,pod,namespace,value,labels_raw\n";
  const row = (_: unknown, index: number): string =>
    `${new Date(Date.UTC(2025, 0, 1) + index * 1000).toISOString()},DCGM_FI_DEV_GPU_TEMP,0,nvidia0,GPU-1,H100,box,,,,40,\n`;
  const csv = folder.write(header + Array.from({ length: 12_000 }, row).join(""), "paced.csv");
  const rowsOfMessages = async (env: Record<string, string>): Promise<number[]> => {
    const [input] = await openWith({ CSV_FILE: csv, ...env });
    return (await batchesOf(input)).map(({ batch }) => batch.tally.rows);
  };
  expect(await rowsOfMessages({})).toEqual([12_000]);
  expect(await rowsOfMessages({ STREAM_INTERVAL: "1s" })).toEqual([5000, 5000, 2000]);
  expect(await rowsOfMessages({ RATE_LIMIT_SAMPLES_PER_SECOND: "100" })).toEqual([5000, 5000, 2000]);
  expect(await rowsOfMessages({ BATCH_SIZE: "8000" })).toEqual([8000, 4000]);
});
