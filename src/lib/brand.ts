// Numbers and strings that cannot be mixed up: an offset is not an epoch, a slot is not a broker id.
// A brand exists for the type checker only; at run time it is the plain value. A plain number is
// branded once, where it enters (`offset(12)`), and a branded one may be used wherever a plain one
// is expected, so arithmetic stays arithmetic.

declare const brand: unique symbol

/** `Base` marked as a `Name`; assignable to `Base`, not the other way round. */
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name }

/** A position in a log. */
export type Offset = Brand<number, 'Offset'>
/** The term of a partition's leader, or of the metadata quorum. */
export type LeaderEpoch = Brand<number, 'LeaderEpoch'>
/** A node's id, broker or controller. */
export type BrokerId = Brand<number, 'BrokerId'>
/** One incarnation of a broker. */
export type BrokerEpoch = Brand<number, 'BrokerEpoch'>
/** A small integer that stands for a partition on the seam. */
export type Slot = Brand<number, 'Slot'>
/** Milliseconds since 1970, or a duration in milliseconds. */
export type Ms = number

export const offset = (value: number): Offset => value as Offset
export const leaderEpoch = (value: number): LeaderEpoch => value as LeaderEpoch
export const brokerId = (value: number): BrokerId => value as BrokerId
export const brokerEpoch = (value: number): BrokerEpoch => value as BrokerEpoch
export const slot = (value: number): Slot => value as Slot
