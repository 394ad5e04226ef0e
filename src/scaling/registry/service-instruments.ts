import { Gauge, type Registry } from "prom-client";
import type { ServiceRegistry } from "./service-registry.ts";
import { withoutPredecessors } from "./without-predecessors.ts";

/** Shows the number of running processes to Prometheus, by role and state. While the registry does not answer, there is none. */
export function showServices(services: Pick<ServiceRegistry, "list">, registry: Registry): void {
  void new Gauge({
    name: "telemetry_services",
    help: "Running processes of the pipeline; a process with several roles counts for each",
    labelNames: ["role", "state"],
    registers: [registry],
    async collect() {
      this.reset();
      const listed = await services.list().catch(() => undefined);
      for (const { roles, state } of withoutPredecessors(listed?.instances ?? [])) {
        for (const role of roles) this.inc({ role, state });
      }
    },
  });
}
