import { expect, test } from "bun:test";
import { join } from "node:path";
import { canRunConcurrently } from "../../scripts/run-tests/can-run-concurrently.ts";
import { mergedReport } from "../../scripts/run-tests/merged-report.ts";

const root = join(import.meta.dir, "../..");

test.each([
  ["works in memory", "runs", "test/domain/range.test.ts"],
  ["leaves its database alone", "runs", "test/drivers/postgres-store.test.ts"],
  ["kills processes", "does not run", "test/faults/kill-during-import.test.ts"],
  ["starts the program", "does not run", "test/roles.test.ts"],
  ["only waits for what commands print", "runs", "test/clients/telemetry-command.test.ts"],
  ["waits for a time", "does not run", "test/drivers/etcd-service-registry.test.ts"],
  ["measures memory", "does not run", "test/routes/live/connections.test.ts"],
])("a test file that %s %s at the same time as others", (_, runs, file) => {
  expect(canRunConcurrently(root, file)).toBe(runs === "runs");
});

const head = '<?xml version="1.0" encoding="UTF-8"?>\n';
const front = `${head}<testsuites name="bun test" tests="3" assertions="9" failures="1" skipped="0" time="20.5">
  <testsuite name="a" file="test/a.test.ts" tests="3" failures="1"></testsuite>
</testsuites>
`;
const concurrent = `${head}<testsuites name="bun test" tests="2" assertions="4" failures="0" skipped="1" time="7">
  <testsuite name="b" file="test/b.test.ts" tests="2"></testsuite>
</testsuites>
`;

test("the report of two runs has the files of both, the sums of their counts, and the longer time", () => {
  expect(mergedReport([front, concurrent]))
    .toBe(`${head}<testsuites name="bun test" tests="5" assertions="13" failures="1" skipped="1" time="20.5">
  <testsuite name="a" file="test/a.test.ts" tests="3" failures="1"></testsuite>
  <testsuite name="b" file="test/b.test.ts" tests="2"></testsuite>
</testsuites>
`);
  expect(mergedReport([front])).toBe(front);
});
