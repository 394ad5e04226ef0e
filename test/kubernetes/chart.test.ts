import { afterAll, beforeAll, describe, setDefaultTimeout, test } from "bun:test";
import { type ControlPlane, startControlPlane } from "../../dev/servers/kubernetes/control-plane.ts";
import { Administrator } from "./administrator.ts";
import { exerciseChart } from "./exercise-chart.ts";
import { exerciseCommands } from "./exercise-commands.ts";
import { exerciseRights } from "./exercise-rights.ts";
import { TestNode } from "./test-node.ts";

// `bun run test:kubernetes` builds the control plane and sets this variable.
if (process.env.TEST_KUBERNETES === "1") testChart();
else test.skip("the chart is installed in a real control plane by `bun run test:kubernetes`", () => undefined);

function testChart(): void {
  setDefaultTimeout(120_000);
  describe("on a real control plane", () => {
    let plane: ControlPlane;
    let api: Administrator;
    let node: TestNode;
    beforeAll(async () => {
      plane = await startControlPlane();
      api = new Administrator(plane);
      node = await TestNode.join(api);
    });
    afterAll(async () => {
      await node.leave();
      await plane.stop();
    });

    exerciseChart(() => ({ api, node }));
    exerciseRights(() => api);
    exerciseCommands(() => ({ api, node }));
  });
}
