/** A gateway as a named module, whose tests Surefire runs on the module path unless it is told otherwise. */
module gateway {
    requires dev.sessionlock;
}
