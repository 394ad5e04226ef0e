import { afterEach, expect, test } from "bun:test";
import { recordsIn } from "../../support/merged-records.ts";
import { openRawTarget } from "./raw-target.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const gpu = (uuid: string, host = "node-7"): string => `{gpu="0",UUID="${uuid}",device="nvidia0",Hostname="${host}"}`;

async function openTarget(first: string, headers = "") {
  const opened = await openRawTarget(first, headers);
  closing.push(opened.close);
  return opened;
}

const whole = `DCGM_FI_DEV_GPU_TEMP${gpu("GPU-1")} 65\nDCGM_FI_DEV_POWER_USAGE${gpu("GPU-1")} 312.5\n`;

test("the last number of an answer that was cut off is rejected, not stored as a smaller one, and the target says so", async () => {
  const { next, source, lines } = await openTarget(whole.slice(0, -4));
  const { rejected, ...batch } = await next();
  expect(recordsIn({ rejected, ...batch }).map(({ metrics }) => [...metrics])).toEqual([[["temperature", 65]]]);
  expect(rejected).toMatchObject([{ line: 2, reason: "malformed_line", field: "DCGM_FI_DEV_POWER_USAGE" }]);
  expect(rejected[0]?.raw).toEndWith(" 31");
  expect(source.state()).toMatchObject({ state: "up", samples: 1, rejected: 1 });
  expect(source.state().message).toContain("its answer ends in the middle of a line and may have been cut off");
  await next();
  expect((await next(whole)).rejected).toEqual([]);
  expect(source.state().message).not.toContain("cut off");
  expect(lines.filter((line) => /cut off|whole again/.test(line))).toHaveLength(2);
});

test.each([
  ["a sample's number", `DCGM_FI_DEV_GPU_TEMP${gpu("GPU-1")} 6`],
  ["a sample without labels", "up 1"],
  ["a label", 'DCGM_FI_DEV_GPU_TEMP{gpu="0",UU'],
  ["a name", "DCGM_FI_DEV_GPU_T"],
  ["a comment", "# HELP DCGM_FI_DEV_GPU_TEMP GPU temp"],
  [
    "a sample, after comments and a title",
    `A title\n# HELP DCGM_FI_DEV_GPU_TEMP x\nDCGM_FI_DEV_GPU_TEMP${gpu("GPU-1")} 6`,
  ],
])(
  "an answer that ends in %s before any whole sample is missed as closed early, not as another kind of text",
  async (_, text) => {
    const { next, source } = await openTarget(text);
    expect((await next()).rejected).toEqual([]);
    const message = "its answer ends in the middle of a line, before the first whole sample";
    expect(source.state().last_error).toMatchObject({ reason: "closed_early", message });
  },
);

test.each([
  ["a sentence", "Internal error", 'its only line is no sample: "Internal error"'],
  ["JSON that is said to be text", '{"error":"x"}', 'its only line is no sample: "{\\"error\\":\\"x\\"}"'],
  ["several lines", "Not\nfound", 'none of its 2 lines is a sample; the first is "Not"'],
])("%s without a line end is no exposition", async (_, text, message) => {
  const { next, source } = await openTarget(text);
  await next();
  expect(source.state().last_error).toMatchObject({ reason: "not_exposition", message });
});

test("samples that are all rejected are samples: they are in quarantine, and the target is up", async () => {
  const { next, source } = await openTarget(
    `DCGM_FI_DEV_GPU_TEMP${gpu("N/A")} 65\nDCGM_FI_DEV_GPU_TEMP${gpu("GPU-1")} 345\n`,
  );
  expect((await next()).rejected.map(({ reason }) => reason)).toEqual(["missing_field", "value_out_of_range"]);
  expect(source.state()).toMatchObject({ state: "up", devices: 0, rejected: 2 });
});

test("an answer of comments only is an exposition without GPUs", async () => {
  const { next, source } = await openTarget("# TYPE DCGM_FI_DEV_GPU_TEMP gauge\n");
  await next();
  expect(source.state()).toMatchObject({ state: "up", devices: 0 });
  expect(source.state().message).toContain("no GPU is among them");
});

test("the figure of rejected samples is that of the batch, even if two hosts report one GPU", async () => {
  const text = ["node-7", "node-8"].map((host) => `DCGM_FI_DEV_GPU_TEMP${gpu("GPU-1", host)} 65\n`).join("");
  const { next, source } = await openTarget(`${text}DCGM_FI_DEV_GPU_TEMP{gpu="x"} 1\n`);
  const { rejected } = await next();
  expect(rejected.map(({ reason }) => reason)).toContain("uuid_on_two_hosts");
  expect(source.state()).toMatchObject({ samples: 1, rejected: rejected.length });
});

test("the Content-Type decides what a timestamp means, even without a sign of OpenMetrics in the text", async () => {
  const at = Date.UTC(2025, 0, 1);
  const line = (time: number): string => `DCGM_FI_DEV_GPU_TEMP${gpu("GPU-1")} 65 ${time}\n`;
  const { next } = await openTarget(`${line(at)}# EOF\n`, "Content-Type: text/plain; version=0.0.4\r\n");
  expect([...(await next()).timesMs]).toEqual([at]);
});
