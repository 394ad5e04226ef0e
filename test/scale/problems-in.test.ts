import { expect, test } from "bun:test";
import { problemsIn } from "../../scripts/scale/problems-in.ts";
import type { StatusRow } from "../../scripts/scale/status-table.ts";

const failed = "at etcd http://127.0.0.1:1 failed: 14 UNAVAILABLE: No connection established";
const row = (number: number): StatusRow => ({
  instance: {
    ...{ name: `gateway-${number}`, role: "gateway", phase: "RUNNING", pid: 4711, port: 8080 },
    ...{ restarts: 0, is_crash_loop: false, outdated: false },
  },
  health: {
    status: "degraded",
    reasons: [
      ...[
        "queue: the queue does not answer: timed out",
        `registry: other processes may not see this one: put ${failed}`,
      ],
      `store: the store does not answer: connect ECONNREFUSED`,
    ],
  },
  load: {},
});

test("an etcd that does not answer is one line, and other problems stay", async () => {
  expect(await problemsIn([row(1), row(2)], { ETCD_ENDPOINTS: "http://127.0.0.1:1" })).toEqual([
    "etcd does not answer at http://127.0.0.1:1: start it with bun run setup-etcd, or set ETCD_ENDPOINTS",
    "gateway-1: store: the store does not answer: connect ECONNREFUSED",
    "gateway-2: store: the store does not answer: connect ECONNREFUSED",
  ]);
});

test("while etcd answers, the requests that failed are said", async () => {
  using server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  const problems = await problemsIn([row(1)], { ETCD_ENDPOINTS: `http://127.0.0.1:${server.port}` });
  expect(problems.length).toBe(3);
});
