import { answerOf } from "gpu-telemetry-client";
import { printNarrow } from "../narrow-table.ts";
import type { Output } from "../output.ts";
import { print } from "../../../src/terminal/print.ts";

/** Shows the rules that raise faults. @throws GatewayError, GatewayUnreachable */
export async function faultRules(output: Output): Promise<void> {
  const { data } = await answerOf(output.gateway.GET("/api/v1/faults/rules"));
  if (output.asJson) return print(JSON.stringify(data, null, 2));
  const rows = data.map((rule) => ({ ...rule, rule: rule.id, severity: rule.enabled ? rule.severity : "off" }));
  printNarrow(rows, [{ name: "rule", wraps: true }, { name: "severity" }, { name: "fires", wraps: true }]);
  print(`${data.length} rules`);
}

/** Shows the catalogue of XIDs, or one of them. @throws GatewayError, GatewayUnreachable */
export async function xids(output: Output, code: number | undefined): Promise<void> {
  const all = (await answerOf(output.gateway.GET("/api/v1/faults/xids"))).data;
  const data = code === undefined ? all : all.filter((xid) => xid.code === code);
  if (output.asJson) return print(JSON.stringify(data, null, 2));
  printNarrow(data, [
    { name: "code" },
    { name: "name", wraps: true },
    { name: "class" },
    { name: "action", wraps: true },
  ]);
  print(`${data.length} ${data.length === 1 ? "XID" : "XIDs"}`);
}
