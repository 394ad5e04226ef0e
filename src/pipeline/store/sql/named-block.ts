export { decodeNamed, nameOfBlock, nameOfRollups } from "../../../db/named-block.ts";
