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

/** Stops services in reverse order, each fully before the next. If one fails to stop, the others are still stopped.
 *  @throws AggregateError of all errors */
export async function stopAll(services: readonly Service[], deadline: AbortSignal): Promise<void> {
  const errors: unknown[] = [];
  for (const service of [...services].reverse()) {
    try {
      await service.stop(deadline);
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, `${errors.length} service(s) did not stop cleanly`);
}
