import type { Service } from "./service.ts";

/** Starts services in order; when one fails, those before it are stopped again and the failure is thrown. */
export async function startAll(services: readonly Service[]): Promise<void> {
  const started: Service[] = [];
  try {
    for (const service of services) {
      started.push(service);
      await service.start();
    }
  } catch (error) {
    await stopAll(started, AbortSignal.abort());
    throw error;
  }
}

/** Stops services in reverse order, each fully before the next; a failure of one does not keep the others running.
 *  @throws AggregateError of what failed, after all were stopped */
export async function stopAll(services: readonly Service[], deadline: AbortSignal): Promise<void> {
  const failures: unknown[] = [];
  for (const service of [...services].reverse()) {
    try {
      await service.stop(deadline);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} service(s) did not stop cleanly`);
}
