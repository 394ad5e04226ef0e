/** The statements of one transaction that the transaction does not wait for before its end. */
export class SentStatements {
  private readonly sent: Promise<unknown>[] = [];

  add(statement: Promise<unknown>): void {
    // `finish` throws the error
    statement.catch(() => undefined);
    this.sent.push(statement);
  }

  /** Runs the work of a transaction, and waits for the statements that it has sent.
   *  @param end runs when `work` has resolved, before the wait: its statement travels with the sent ones
   *  @throws the error of the first statement that failed: a later statement only reports that the transaction has failed */
  async finish<T>(work: () => Promise<T>, end: () => Promise<void>): Promise<T> {
    let result: T;
    try {
      result = await work();
      await Promise.all([...this.sent, end()]);
    } catch (error) {
      const failed = (await Promise.allSettled(this.sent)).find(({ status }) => status === "rejected");
      throw failed === undefined ? error : (failed as PromiseRejectedResult).reason;
    }
    return result;
  }
}
