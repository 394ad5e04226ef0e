import { isDeadlock } from "./postgres-errors.ts";

/** A migration has the locks that it waits for after one or two deadlocks. */
const deadlocksMax = 3;

/** Repeats a call that the server ended because of a deadlock, which undoes all of it: a migration locks several tables, and so does a
 *  question, or dropping a chunk. */
export async function pastDeadlocks<T>(call: () => Promise<T>): Promise<T> {
  for (let deadlocks = 0; ; deadlocks += 1) {
    try {
      return await call();
    } catch (error) {
      if (!isDeadlock(error) || deadlocks === deadlocksMax) throw error;
    }
  }
}
