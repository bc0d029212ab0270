// Register the routines of the Rust library with R, ask R whether the user pressed Ctrl-C, call back into R.

#include <setjmp.h>

#include <Rinternals.h>
#include <R_ext/Rdynload.h>
#include <R_ext/Utils.h>

void R_init_nlmers_extendr(DllInfo *dll);
void register_extendr_panic_hook(void);

// The code around the .Call may have suspended interrupts, so that they are taken here and nowhere else: they are
// allowed for as long as R sleeps for no time, which looks for them.
static void check_interrupt(void *look) {
    Rf_eval((SEXP) look, R_BaseEnv);
    R_CheckUserInterrupt();
}

// An interrupt jumps out of check_interrupt: the jump stays inside this file, no Rust frame is skipped.
int nlmers_user_interrupted(void) {
    SEXP zero = PROTECT(Rf_ScalarReal(0));
    SEXP sleep = PROTECT(Rf_lang2(Rf_install("Sys.sleep"), zero));
    SEXP look = PROTECT(Rf_lang2(Rf_install("allowInterrupts"), sleep));
    int interrupted = !R_ToplevelExec(check_interrupt, look);
    UNPROTECT(3);
    return interrupted;
}

static SEXP evaluate(void *call) {
    return Rf_eval((SEXP) call, R_GlobalEnv);
}

static void land(void *landing, Rboolean jumping) {
    if (jumping) {
        longjmp(*(jmp_buf *) landing, 1);
    }
}

// Evaluate a call and keep its value in the first place of a list; 0 when it jumps out (an interrupt, a restart). The
// jump ends here, so no Rust frame is skipped, and the handlers around the .Call stay in place: R_ToplevelExec would hide
// them from what is signaled.
int nlmers_ask(SEXP call, SEXP answer) {
    SEXP token = PROTECT(R_MakeUnwindCont());
    jmp_buf landing;
    volatile int returned = 0;
    if (setjmp(landing) == 0) {
        SET_VECTOR_ELT(answer, 0, R_UnwindProtect(evaluate, call, land, &landing, token));
        returned = 1;
    }
    UNPROTECT(1);
    return returned;
}

// Evaluate a call; 0 when it returns FALSE or jumps out.
int nlmers_go_on(SEXP call) {
    SEXP cell = PROTECT(Rf_allocVector(VECSXP, 1));
    int go_on = nlmers_ask(call, cell);
    SEXP answer = VECTOR_ELT(cell, 0);
    if (Rf_isLogical(answer) && Rf_xlength(answer) == 1 && LOGICAL(answer)[0] == 0) go_on = 0;
    UNPROTECT(1);
    return go_on;
}

void R_init_nlmers(DllInfo *dll) {
    register_extendr_panic_hook();
    R_init_nlmers_extendr(dll);
    R_useDynamicSymbols(dll, FALSE);
}
