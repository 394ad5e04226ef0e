/** A first-in-first-out queue. `push` and `shift` take constant time on average; an array's `shift` moves every element. */
export class Fifo<T> {
  private items: (T | undefined)[] = [];
  private head = 0;

  push(item: T): void {
    this.items.push(item);
  }

  /** @returns the oldest item; undefined if the queue is empty */
  shift(): T | undefined {
    if (this.head === this.items.length) return undefined;
    const item = this.items[this.head];
    this.items[this.head] = undefined;
    this.head += 1;
    if (this.head > 1024 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return item;
  }

  /** Removes every item, oldest first, and passes each to `take`. */
  drain(take: (item: T) => void): void {
    for (let item = this.shift(); item !== undefined; item = this.shift()) take(item);
  }
}
