// Register the routines of the Rust library with R, and ask R whether the user pressed Ctrl-C.

#include <Rinternals.h>
#include <R_ext/Rdynload.h>
#include <R_ext/Utils.h>

void R_init_nlmers_extendr(DllInfo *dll);
void register_extendr_panic_hook(void);

static void check_interrupt(void *unused) {
    (void) unused;
    R_CheckUserInterrupt();
}

// An interrupt jumps out of check_interrupt: the jump stays inside this file, no Rust frame is skipped.
int nlmers_user_interrupted(void) {
    return !R_ToplevelExec(check_interrupt, NULL);
}

void R_init_nlmers(DllInfo *dll) {
    register_extendr_panic_hook();
    R_init_nlmers_extendr(dll);
    R_useDynamicSymbols(dll, FALSE);
}
