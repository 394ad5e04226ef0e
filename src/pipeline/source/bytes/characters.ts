/** The bytes that structure the texts that sources read. */
export const tab = 0x09;
export const lineFeed = 0x0a;
export const carriageReturn = 0x0d;
export const space = 0x20;
export const quote = 0x22;
export const hashSign = 0x23;
export const comma = 0x2c;
export const equalsSign = 0x3d;
export const backslash = 0x5c;
export const openBrace = 0x7b;
export const closeBrace = 0x7d;
