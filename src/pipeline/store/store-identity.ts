/** The id of a store, which no other store has. A backup contains the id, and the store that is restored from the backup keeps
 *  it. */
export interface StoreIdentity {
  /** @returns undefined for a store that no collector has used yet
   *  @throws StoreUnavailable */
  read(): Promise<string | undefined>;
  /** Gives the store an id, unless it has one. @throws StoreUnavailable */
  ensure(): Promise<string>;
}
