/** The check of one credential, as its sources see it. */
export interface Attempt {
  /** Counts work that a made-up credential could cause. Call it before such work.
   *  @throws ApiError 429 if the client's address has caused its share of it */
  admit(): Promise<void>;
  /** Notes why the credential is not valid, for the audit log: the client is not told. */
  reject(reason: string): void;
}

/** An attempt of which nothing is counted or noted. */
export const uncounted: Attempt = { admit: () => Promise.resolve(), reject: () => undefined };
