/** How a sender marks a made-up event. Both marks become `facts.synthetic`. */

/** Resource attribute of OTLP, a boolean. */
export const SYNTHETIC_ATTRIBUTE = 'affidavit.synthetic';

/** Member of a hook's body, and of the objects of all sources that send JSON objects; a boolean. */
export const SYNTHETIC_MEMBER = 'affidavit_synthetic';
