import { expect, setDefaultTimeout, test } from "bun:test";
import { makeBatch, messageOf } from "../../dev/make-batch.ts";
import { firstSecondMs } from "./gateway.ts";
import { fleetGateway } from "../support/fleet-gateway.ts";

setDefaultTimeout(60_000);

const document = await Bun.file(`${import.meta.dir}/../../docs/promql.md`).text();
const [, documented = ""] = /^query_result\((.*)\)$/m.exec(document) ?? [];
const [, expression = ""] = /its regular expression `\/(.*)\/`/.exec(document) ?? [];

const running = fleetGateway([]);

test("the documented query finds the pods of a range, also those that have ended", async () => {
  const pods = ["before", "first", "second", "last"];
  const records = pods.map((pod, index) => ({
    ...{ uuid: "GPU-of-pods", timeMs: firstSecondMs + index * 600_000, metrics: { gpu_utilization: 50 } },
    workload: { namespace: "ml", pod, container: "main" },
  }));
  await running.stored.store.ingest(messageOf("pods", makeBatch(records)));
  const time = (firstSecondMs + 1_860_000) / 1000;
  const query = encodeURIComponent(documented.replace("$__range", "25m"));
  const { data } = (await running.gateway.json(`/api/v1/query?time=${time}&query=${query}`)) as unknown as {
    data: { result: { metric: Record<string, string>; value: [number, string] }[] };
  };
  // Grafana matches the expression with each series as text
  const texts = data.result.map(({ metric, value: [at, value] }) => {
    const labels = Object.entries(metric).map(([label, text]) => `${label}="${text}"`);
    return `{${labels.join(",")}} ${value} ${at * 1000}`;
  });
  const found = texts.map((text) => new RegExp(expression).exec(text)?.[1]);
  expect(found.sort()).toEqual(["first", "last", "second"]);
});
