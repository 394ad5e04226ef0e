import { afterAll, beforeAll } from "bun:test";
import { type FleetRecord, type FleetStore, gatewayOver, openFleetStore, type TestGateway } from "../routes/gateway.ts";

/** A store with the records of a fleet, and a gateway over it. */
export interface FleetGateway {
  readonly stored: FleetStore;
  readonly gateway: TestGateway;
}

/** Opens a store and a gateway over it before the tests of a file, and closes the store after them.
 *  @param records those of the store; by default `fleet`
 *  @returns the parts, for the tests: they are opened before the first one */
export function fleetGateway(records?: readonly FleetRecord[]): FleetGateway {
  let opened: FleetGateway | undefined;
  beforeAll(async () => {
    const stored = await openFleetStore(records);
    opened = { stored, gateway: gatewayOver(stored) };
  });
  afterAll(() => opened?.stored.close());
  const parts = (): FleetGateway => {
    if (opened === undefined) throw new Error("the gateway is opened before the first test");
    return opened;
  };
  return {
    get stored() {
      return parts().stored;
    },
    get gateway() {
      return parts().gateway;
    },
  };
}
