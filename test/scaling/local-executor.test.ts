import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StateFile } from "../../scripts/supervisor/saved-state.ts";
import { Supervisor } from "../../scripts/supervisor/supervisor.ts";
import { SupervisorServer } from "../../scripts/supervisor/supervisor-server.ts";
import { LocalExecutor } from "../../src/scaling/executor/local/local-executor.ts";
import { ScriptedMachine } from "../scale/scripted-machine.ts";
import { unshownLog } from "../../dev/unshown-log.ts";

// The executor and the supervisor that it talks to, without processes. test/scale/coordinator.test.ts has both with processes.

const log = unshownLog();
let dir: string;
let machine: ScriptedMachine;
let supervisor: Supervisor;
let server: SupervisorServer;
let executor: LocalExecutor;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "telemetry-executor-"));
  machine = new ScriptedMachine();
  open();
});
afterEach(async () => {
  await server.stop();
  await rm(dir, { recursive: true, force: true });
});

/** Starts a supervisor, or another one after the last. */
function open(): void {
  supervisor = new Supervisor({ stateFile: new StateFile(join(dir, "supervisor.json")), machine: () => machine, log });
  const socket = join(dir, "supervisor.sock");
  server = new SupervisorServer({ supervisor, socket, onStopped: () => undefined });
  executor = new LocalExecutor({ socket });
}

const stillLeads = (): Promise<boolean> => Promise.resolve(false);
const request = { role: "collector", count: 3, term: "4711", reason: "load", stillLeads } as const;

test("the supervisor starts and stops processes as the coordinator asks, and says which counts were requested last", async () => {
  await executor.scale(request);
  supervisor.tick();
  expect([machine.starts, await executor.requested("collector")]).toEqual([3, { count: 3, command: undefined }]);
  expect(await executor.requested("gateway")).toEqual({ count: 0, command: undefined });
  await executor.scale({ ...request, count: 2 });
  supervisor.tick();
  expect(machine.signals.at(-1)).toBe("SIGTERM 3");
});

test("a request of an earlier term is refused with the supervisor's reason, also by the next supervisor", async () => {
  await executor.scale(request);
  supervisor.tick();
  const late = (): Promise<unknown> => executor.scale({ ...request, count: 9, term: "4710" }).catch(String);
  const refusal = "the supervisor refused 9 collectors: term 4710 is over";
  expect(await late()).toContain(refusal);
  await server.stop();
  open();
  expect(await late()).toContain(refusal);
  expect(await executor.requested("collector")).toMatchObject({ count: 3 });
});

describe("a supervisor that knows a term of an etcd that has lost what it had", () => {
  const termNow = (): number | undefined => supervisor.status.term;
  const leading = { ...request, term: "12", count: 5, stillLeads: () => Promise.resolve(true) };

  test("follows the coordinator that leads, and its successors, also as the next supervisor", async () => {
    await executor.scale(request);
    await executor.scale(leading);
    supervisor.tick();
    expect([termNow(), await executor.requested("collector")]).toEqual([12, { count: 5, command: undefined }]);
    await server.stop();
    open();
    expect(await executor.scale({ ...request, term: "11" }).catch(String)).toContain("term 11 is over");
    await executor.scale({ ...request, term: "13", count: 4 });
    expect([termNow(), await executor.requested("collector")]).toMatchObject([13, { count: 4 }]);
  });

  test("refuses a coordinator that was frozen after it had asked etcd, while another one came", async () => {
    await executor.scale(request);
    const frozen = {
      ...leading,
      stillLeads: async () => {
        await executor.scale({ ...leading, term: "20", count: 7 });
        return true;
      },
    };
    expect(await executor.scale(frozen).catch(String)).toContain("term 12 is over");
    expect([termNow(), await executor.requested("collector")]).toMatchObject([20, { count: 7 }]);
  });

  test("is not asked again while etcd does not answer", async () => {
    await executor.scale(request);
    const stillLeads = (): Promise<boolean> => Promise.reject(new Error("etcd does not answer"));
    expect(await executor.scale({ ...leading, stillLeads }).catch(String)).toContain("etcd does not answer");
    expect(termNow()).toBe(4711);
  });
});

test("what a command has set is known after the coordinator has changed it, and to the next supervisor", async () => {
  machine.timeMs = Date.UTC(2026, 0, 1);
  const command = { count: 2, atMs: machine.timeMs };
  supervisor.scale({ collector: 2 }, {});
  machine.timeMs += 60_000;
  await executor.scale(request);
  supervisor.tick();
  expect(await executor.requested("collector")).toEqual({ count: 3, command });
  await server.stop();
  open();
  expect(await executor.requested("collector")).toEqual({ count: 3, command });
});

test("without a supervisor, the error names the socket", async () => {
  const none = new LocalExecutor({ socket: join(dir, "none.sock") });
  const error = await none.scale(request).catch(String);
  expect(error).toContain(`the supervisor does not answer at ${dir}/none.sock (SUPERVISOR_SOCKET)`);
});
