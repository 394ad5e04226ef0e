import { aborted } from "./aborted.ts";
import { messageOf } from "./message-of.ts";
import type { Service } from "./service.ts";

/** Starts services in order. If one fails, it and the services before it are stopped.
 *  @throws the error of the service that failed; if stopping fails too, an AggregateError of all errors */
export async function startAll(services: readonly Service[]): Promise<void> {
  const started: Service[] = [];
  try {
    for (const service of services) {
      started.push(service);
      await service.start();
    }
  } catch (error) {
    await stopAll(started, AbortSignal.abort()).catch((failure: AggregateError) => {
      throw new AggregateError([error, ...(failure.errors as unknown[])], `${messageOf(error)}; ${failure.message}`);
    });
    throw error;
  }
}

/** Stops services in reverse order, each fully before the next, but upkeep at once: a statement that it waits for may take longer than
 *  the whole stop. At the deadline, all services are told to stop, so that none goes on while the parts that it uses are closed. If one
 *  fails to stop, the others are still stopped.
 *  @returns when all have stopped
 *  @throws AggregateError of all errors */
export async function stopAll(services: readonly Service[], deadline: AbortSignal): Promise<void> {
  const errors: unknown[] = [];
  const stop = (service: Service): Promise<unknown> =>
    service.stop(deadline).catch((error: unknown) => errors.push(error));
  const late = aborted(deadline);
  const stopping = services.filter(({ isUpkeep }) => isUpkeep).map(stop);
  for (const service of services.filter(({ isUpkeep }) => !isUpkeep).reverse()) {
    const stopped = stop(service);
    stopping.push(stopped);
    await Promise.race([stopped, late]);
  }
  await Promise.all(stopping);
  if (errors.length > 0) throw new AggregateError(errors, `${errors.length} service(s) did not stop cleanly`);
}
