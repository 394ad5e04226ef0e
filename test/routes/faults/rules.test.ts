import { afterAll, beforeAll, expect, test } from "bun:test";
import { faultGuideOf } from "../../../src/faults/fault-guide.ts";
import { defaultRules, defaultXids } from "../../../src/faults/rules/default-rules.ts";
import { gatewayOver, openFleetStore, type TestGateway } from "../gateway.ts";

let stored: Awaited<ReturnType<typeof openFleetStore>>;
let gateway: TestGateway;
beforeAll(async () => {
  stored = await openFleetStore([]);
  gateway = gatewayOver(stored);
}, 60_000);
afterAll(() => stored.close());

const graphql = async (query: string): Promise<unknown> => {
  const answer = await gateway.get(`/graphql?query=${encodeURIComponent(query)}`);
  return ((await answer.json()) as { data: unknown }).data;
};

test("the rules in force are listed with their figures, when they fire, and what to do", async () => {
  const rules = await defaultRules();
  const { count, data } = await gateway.json("/api/v1/faults/rules");
  expect(count).toBe(rules.length);
  const shown = data as readonly Record<string, unknown>[];
  expect(shown.map(({ id, severity, action }) => [id, severity, action])).toEqual(
    rules.map(({ id, severity, action }) => [id, severity, action]),
  );
  expect(shown.find(({ id }) => id === "gpu.temperature.high")).toMatchObject({
    kind: "threshold",
    enabled: true,
    fires: "temperature above 85 for 5 min",
    ends: "at most 82 for 60 s",
    runbook: "docs/faults.md#gputemperaturehigh",
    figures: { above: 85, resolve: 82, for_seconds: 300, resolve_for_seconds: 60 },
  });
  expect(await graphql("{ faultRules { id figures { name value } } }")).toEqual({
    faultRules: shown.map(({ id, figures }) => ({
      id,
      figures: Object.entries(figures as object).map(([name, value]) => ({ name, value: value as unknown })),
    })),
  });
});

test("the catalogue of XIDs is listed with the class and the action of each", async () => {
  const xids = [...(await defaultXids()).values()];
  expect(await gateway.json("/api/v1/faults/xids")).toEqual({ success: true, count: xids.length, data: xids });
  expect(await graphql("{ xids { code name class action source date } }")).toEqual({ xids });
});

test("with FAULT_RUNBOOK_URL, each rule has a link to its runbook", async () => {
  const guide = faultGuideOf(await defaultRules(), await defaultXids(), "https://wiki.example.org/gpu#");
  const linked = gatewayOver(stored, { faultGuide: () => Promise.resolve(guide) });
  const { data } = await linked.json("/api/v1/faults/rules");
  const hot = (data as readonly Record<string, unknown>[]).find(({ id }) => id === "gpu.temperature.high");
  expect(hot).toMatchObject({ runbook_url: "https://wiki.example.org/gpu#gputemperaturehigh" });
});
