import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "../dev/servers/free-ports.ts";
import { openChromium } from "../dev/servers/chromium.ts";
import { until } from "../dev/until.ts";
import { print } from "./support/output.ts";
import { median } from "./support/statistics.ts";

// Measures a newcomer's path: from `bun run dev`, typed in a checkout whose packages are installed and that has no data yet, to the
// first picture of the live fleet in a real Chromium, which opens the page as soon as the banner names it. Exits with 1 if a picture
// takes 15 s or more, or if the terminal stays empty for the first second. `bun bench/first-picture.ts`

const paths = 5;
const bars = { pictureMs: 15_000, outputMs: 1000 };
const checkout = join(import.meta.dir, "..");
/** True when the page shows itself as live, and a measured value of a GPU. */
const hasPicture = `document.querySelector(".status[data-status=live]") !== null
  && [...document.querySelectorAll("tbody tr[data-uuid]")].some(({ textContent }) => textContent.includes("%"))`;

interface NewcomerPath {
  /** Milliseconds since the command was typed. */
  readonly outputMs: number;
  readonly bannerMs: number;
  readonly pictureMs: number;
}

async function walk(chromium: Awaited<ReturnType<typeof openChromium>>, dataDir: string): Promise<NewcomerPath> {
  const [port = 0] = await freePorts(1);
  const context = await chromium.browser.newContext();
  const page = await context.newPage();
  const typedMs = performance.now();
  const sinceTyped = (): number => performance.now() - typedMs;
  const command = Bun.spawn([process.execPath, "run", "dev"], {
    cwd: checkout,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, PORT: String(port), DATA_DIR: dataDir },
    stdio: ["ignore", "pipe", "ignore"],
  });
  try {
    let outputMs: number | undefined;
    let text = "";
    for await (const chunk of command.stdout.pipeThrough(new TextDecoderStream())) {
      outputMs ??= sinceTyped();
      text += chunk;
      if (text.includes(`http://localhost:${port}/`)) break;
    }
    const bannerMs = sinceTyped();
    await page.goto(`http://localhost:${port}/`);
    await until(() => page.evaluate<boolean>(hasPicture), { timeoutMs: 60_000, everyMs: 10 });
    return { outputMs: outputMs ?? Infinity, bannerMs, pictureMs: sinceTyped() };
  } finally {
    await context.close();
    command.kill("SIGTERM");
    await command.exited;
  }
}

const folder = await mkdtemp(join(tmpdir(), "telemetry-newcomer-"));
const chromium = await openChromium();
const walked: NewcomerPath[] = [];
try {
  for (let number = 0; number < paths; number++) walked.push(await walk(chromium, join(folder, String(number))));
} finally {
  await chromium.close();
  await rm(folder, { recursive: true, force: true });
}
for (const [name, what] of [
  ["outputMs", "first output"],
  ["bannerMs", "banner"],
  ["pictureMs", "first picture"],
] as const) {
  const timesMs = walked.map((path) => path[name]);
  print(
    `${what}: median ${(median(timesMs) / 1000).toFixed(2)} s, highest ${(Math.max(...timesMs) / 1000).toFixed(2)} s`,
  );
}
const isMet = walked.every(({ outputMs, pictureMs }) => outputMs < bars.outputMs && pictureMs < bars.pictureMs);
print(
  isMet ? "within 15 s, with output in the first second" : "not within 15 s, or without output in the first second",
);
process.exitCode = isMet ? 0 : 1;
