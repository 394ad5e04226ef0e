import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { trixieFolder } from "../../dev/servers/trixie.ts";
import { realCsv, realFigures } from "../support/loaded-gateway.ts";
import { readmeSections } from "../support/readme-commands.ts";
import { ctrlC, openShell, type TypedCommand, type TypedShell } from "../support/typed-shell.ts";

// The commands of the former system's README, typed in a shell, section by section, in a copy of the checkout. A command that has
// no expectation here fails its test.

/** Commands that are not typed: they need Docker, Kubernetes, a network or a terminal, or are stages of CI (see help.test.ts). What ab
 *  and wscat send is in former-clients.test.ts. */
const notTyped = [
  /\b(?:docker|kubectl|helm|git|cd|wscat|ab|htop|top)\b/,
  /make (?:k8s|csv)-/,
  /^make (?:test|lint|deps)$/,
  /^(?:GET|POST|WS) |^\?/,
];
/** Commands that run until Ctrl-C. */
const endless = /^tail -f|make scale-logs|run-nexus-/;

interface Expectation {
  readonly command: RegExp;
  /** A text of the output. */
  readonly output: RegExp;
  /** By default 0. */
  readonly code?: number;
}

const gpuCount = new RegExp(`"?count"?:? ?${realFigures.gpus}\\b|^${realFigures.gpus}$`, "m");

const expectations: readonly Expectation[] = [
  { command: /^make build-(?:nexus|enhanced)$/, output: /types {3}ok[^]*bundle {2}ok/ },
  { command: /^make setup-etcd$/, output: /etcd (?:already )?runs on localhost/ },
  { command: /make scale-(?:local|streamers|collectors|gateways)/, output: /gateway-2 .* ok/ },
  { command: /^make scale-stop$/, output: /^Stopped |^Nothing runs/ },
  { command: /^make scale-status && /, output: /collector-2 .* ok[^]*"status": "ok"[^]*is healthy/ },
  { command: /^make scale-status$/, output: /collector-2 .* ok/ },
  { command: /^curl .*\/health \| jq \.status$/, output: /^"ok"$/m },
  { command: /^for port in .*\/health/, output: /^"ok"\n"ok"\n"ok"$/m },
  { command: /^curl .*\/gpus/, output: gpuCount },
  { command: /^curl .*808[01]\/health/, output: /"status":\s?"ok"/ },
  { command: /^etcdctl .*endpoint health/, output: /is healthy/ },
  { command: /^etcdctl .*wc -l$/, output: /^[1-9]\d{2,}$/m },
  {
    command: /verify-record-count/,
    output: /2470 samples, 988 records[^]*the store agrees[^]*247 GPUs on 31 hosts, 988 records/,
  },
  { command: /test-time-queries/, output: /^(?:ok .*\n){6}$/m },
  { command: /demo-(?:scaling|enhanced)/, output: /the store agrees[^]*The pipeline goes on/ },
  { command: /^make generate-swagger$/, output: /swagger\.json: OpenAPI 3\.0/ },
  { command: /^make help$/, output: /scale-local/ },
  { command: /grep -i error$/, output: /^$/, code: ctrlC },
  { command: /make scale-logs|^tail -f/, output: /./, code: ctrlC },
  { command: /make run-nexus-streamer/, output: /Streamed |source /, code: ctrlC },
  { command: /make run-nexus-collector/, output: /health {5}http/, code: ctrlC },
  { command: /make run-nexus-gateway/, output: /health {5}http|already in use/, code: ctrlC },
];

/** What a section needs that it does not start itself. */
const isRunning =
  /Testing & Verification|Performance|Health Monitoring|Log Analysis|Common Issues|Quick Troubleshooting/;

const builds = new Set<string>();

/** False for a build that an earlier section has: checking the types takes long. */
function isNewBuild(command: string): boolean {
  const isNew = !command.startsWith("make build-") || !builds.has(command);
  builds.add(command);
  return isNew;
}

const sections = (readmeSections ?? [])
  .filter(({ title }) => !/Kubernetes|API|Docker|Prerequisites|Option|Continued|Management|Deployment/.test(title))
  .map(({ title, commands }) => ({
    title,
    commands: commands.filter((each) => !notTyped.some((one) => one.test(each)) && isNewBuild(each)),
  }))
  .filter(({ commands }) => commands.length > 0);

/** All sections together take four minutes, in which CI has no time for other tests: they run with `bun run test` alone. */
const isInCi = process.env["CI"] !== undefined;

const isPossible =
  !isInCi && realCsv !== undefined && sections.length > 0 && ["make", "jq", "curl"].every((name) => Bun.which(name));

describe.skipIf(!isPossible)("typed as in the README of the former system:", () => {
  let shell: TypedShell;
  beforeAll(async () => {
    await trixieFolder();
    shell = await openShell(realCsv ?? "");
  }, 300_000);
  afterAll(() => shell.close(), 120_000);

  // a file without any test would be missing in the report of CI
  if (sections.length === 0) test("the README of the former system, which is missing", () => undefined);

  for (const { title, commands } of sections) {
    test(
      title,
      async () => {
        if (isRunning.test(title)) await shell.type("make setup-etcd && INSTANCES=3 make scale-local");
        for (const command of commands) await expectTyped(command);
      },
      400_000,
    );
  }

  async function expectTyped(command: string): Promise<void> {
    const { output, code = 0 } = expectationOf(command);
    const isEndless = endless.test(command);
    const ending = output.test("") ? { seconds: 2 } : { seconds: 60, printed: output };
    let typed = await shell.type(command, isEndless ? ending : {});
    // a record needs a moment to arrive
    for (let tries = 0; command.startsWith("curl") && !output.test(typed.output) && tries < 40; tries += 1) {
      await Bun.sleep(500);
      typed = await shell.type(command);
    }
    expect({ command, ...codeOf(typed, output, code) }).toEqual({
      command,
      code,
      output: expect.stringMatching(output) as string,
    });
  }
});

function expectationOf(command: string): Expectation {
  const expectation = expectations.find((each) => each.command.test(command));
  if (expectation === undefined) throw new Error(`no expectation for the command: ${command}`);
  return expectation;
}

/** A process that ends by itself within the time, such as a gateway whose port is used, needs no Ctrl-C. */
function codeOf({ code, output }: TypedCommand, expected: RegExp, wanted: number): TypedCommand {
  return { code: expected.test(output) && output.includes("already in use") ? wanted : code, output };
}
