import { constants } from 'node:fs';

/**
 * To read what may be a pipe by the time it is opened, whatever it was when it was looked at: opening one would wait for a writer, and nothing
 * could end that wait.
 */
export const WITHOUT_WAITING = constants.O_RDONLY | constants.O_NONBLOCK;
