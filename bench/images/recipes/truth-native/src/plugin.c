/* A plugin: what it is linked with comes along when it is loaded. */
int VERSION(void);

int version(void) { return VERSION(); }
