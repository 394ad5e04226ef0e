import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { writeFixture } from "./left-behind/fixture.ts";
import { completeInput, halfReadInput } from "./left-behind/inputs.ts";
import { recordEmbedded } from "./left-behind/record-embedded.ts";
import { recordShared } from "./left-behind/record-shared.ts";

// Runs an older version of the program, and records what it leaves behind and what its API answers:
//   git worktree add /tmp/old COMMIT && (cd /tmp/old && bun install --frozen-lockfile)
//   bun dev/left-behind.ts /tmp/old test/fixtures/COMMIT
// Needs root on Debian, like `bun run services`.

const [, , checkout, target] = process.argv;
if (checkout === undefined || target === undefined) throw new TypeError("usage: left-behind.ts CHECKOUT FOLDER");
const folder = await mkdtemp(join(tmpdir(), "telemetry-left-behind-"));
try {
  const [complete, halfRead] = [completeInput(), halfReadInput()];
  const paths = { complete: join(folder, complete.name), halfRead: join(folder, halfRead.name) };
  await Promise.all([Bun.write(paths.complete, complete.text), Bun.write(paths.halfRead, halfRead.text)]);
  const options = { checkout: resolve(checkout), folder, ...paths };
  const embedded = await recordEmbedded(options);
  const shared = await recordShared(options);
  await writeFixture(resolve(target), { inputs: { complete, halfRead }, embedded, shared });
} finally {
  await rm(folder, { recursive: true, force: true });
}
