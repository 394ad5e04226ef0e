import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/kit/clock.ts";
import { MemoryScalingRecords } from "../../src/scaling/coordinator/memory/memory-scaling-records.ts";
import { MemoryLeaderElection } from "../../src/scaling/election/memory/memory-leader-election.ts";
import type { Term } from "../../src/scaling/election/leader-election.ts";
import { decisionAt, updateAt } from "../contract/scaling-records.ts";
import { gatewayOver, openFleetStore, type TestGateway } from "./gateway.ts";

let stored: Awaited<ReturnType<typeof openFleetStore>>;
beforeAll(async () => {
  stored = await openFleetStore();
});
afterAll(() => stored.close());

/** A gateway of a pipeline whose coordinator decided at `atMs`. */
async function decided(atMs: number): Promise<{ gateway: TestGateway; term: Term }> {
  const scaling = new MemoryScalingRecords("one");
  const term = (await new MemoryLeaderElection().campaign(new AbortController().signal)) as Term;
  await scaling.write(term, updateAt(atMs - 60_000, [decisionAt(atMs - 60_000, 3)]));
  await scaling.write(term, updateAt(atMs, [decisionAt(atMs, 4)]));
  return { gateway: gatewayOver(stored, { scaling }), term };
}

describe("/api/v1/scaling", () => {
  test("shows the leader, rules, figures, counts and decisions, newest first", async () => {
    const { gateway } = await decided(systemClock.nowMs());
    const { data } = (await gateway.json("/api/v1/scaling")) as { data: Record<string, unknown> };
    expect(data).toMatchObject({
      leader: { instance_id: "one", term: 1 },
      executor: "none",
      policy: { collector: { max: 10 } },
      signals: { queue: { waiting_messages: { value: 10 } } },
      desired: { collector: 4 },
      actual: { collector: 3 },
    });
    expect((data["decisions"] as { to: number }[]).map(({ to }) => to)).toEqual([4, 3]);
  });

  test("limits the decisions, and answers before any was made", async () => {
    const { gateway } = await decided(systemClock.nowMs());
    const { data } = (await gateway.json("/api/v1/scaling?limit=1")) as { data: { decisions: unknown[] } };
    expect(data.decisions.length).toBe(1);
    const empty = (await gatewayOver(stored).json("/api/v1/scaling")) as { data: unknown };
    expect(empty.data).toEqual({ desired: {}, actual: {}, decisions: [] });
  });

  test("answers GraphQL, too", async () => {
    const { gateway } = await decided(systemClock.nowMs());
    const query = `{ scaling(limit: 10) { leader { instanceId term } desired { name value }
      signals { queue { name value } } policy { steps { name value } } decisions { role to code reason } } }`;
    const response = await gateway.get("/graphql", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query }),
    });
    const { data, errors } = (await response.json()) as {
      data: { scaling: Record<string, unknown> };
      errors?: unknown;
    };
    expect(errors).toBeUndefined();
    expect(data.scaling).toMatchObject({
      leader: { instanceId: "one", term: 1 },
      desired: [{ name: "collector", value: 4 }],
    });
  });
});

describe("/api/v1/scaling/{figure}", () => {
  test.each([
    ["backlog", 12],
    ["oldest_age_seconds", 1.5],
    ["desired_collectors", 4],
  ])("is a plain number: %s is %d", async (figure, value) => {
    const { gateway } = await decided(systemClock.nowMs());
    expect(await gateway.json(`/api/v1/scaling/${figure}`)).toEqual({ value });
  });

  test("is an error, never 0, if it is not known, too old, or its coordinator no longer leads", async () => {
    const code = async (gateway: TestGateway, figure: string): Promise<string> => {
      const response = await gateway.get(`/api/v1/scaling/${figure}`);
      const { error } = (await response.json()) as { error: { code: string; message: string } };
      return `${response.status} ${error.code}: ${error.message}`;
    };
    expect(await code(gatewayOver(stored), "backlog")).toBe(
      "503 figure_unknown: The figure backlog is not known: no coordinator leads; start a process with ROLE=coordinator",
    );
    const { gateway, term } = await decided(systemClock.nowMs());
    expect(await code(gateway, "desired_streamers")).toContain("503 figure_unknown");
    await term.resign();
    expect(await code(gateway, "backlog")).toContain("503 figure_unknown");
    const old = await decided(systemClock.nowMs() - 31_000);
    expect(await code(old.gateway, "backlog")).toContain("503 figure_unknown");
  });

  test("does not exist under another name", async () => {
    for (const name of ["depth", "constructor"]) {
      expect((await gatewayOver(stored).get(`/api/v1/scaling/${name}`)).status).toBe(404);
    }
  });
});
