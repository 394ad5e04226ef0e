import { useEffect, useState } from "preact/hooks";

/** Calls its listeners with each value. */
export class Emitter<Value> {
  private readonly listeners = new Set<(value: Value) => void>();

  /** @returns a function that removes the listener */
  on(listener: (value: Value) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  emit(value: Value): void {
    for (const listener of this.listeners) listener(value);
  }
}

/** Renders the component again with each value of an emitter.
 *  @returns the number of values so far, as a dependency of what is derived from the emitter's source */
export function useEmitter<Value>(emitter: Emitter<Value>): number {
  const [count, setCount] = useState(0);
  useEffect(() => emitter.on(() => setCount((before) => before + 1)), [emitter]);
  return count;
}
