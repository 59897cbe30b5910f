/** AnyCable's Action Cable protocols and presence for the unmodified clients, over a Presently cluster. */
export {};
