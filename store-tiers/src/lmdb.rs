//! A file that the processes of one machine share, by LMDB.
